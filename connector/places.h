/* SPDX-License-Identifier: ISC */
/*
 * The two directories of the connector: the gateway's workspace, which must be
 * there, and the connector's own state, which is made and must lie outside of
 * it (everything in the workspace is committed and readable by agents).
 */
#ifndef MT_CONNECTOR_PLACES_H
#define MT_CONNECTOR_PLACES_H

#include "base/status.h"
#include "config.h"

/*
 * Turns config->workspace and config->state_dir into absolute paths of
 * directories that are there and writable.  Without a state_dir setting it is
 * $STATE_DIRECTORY, else $XDG_STATE_HOME/mailtoken-connector, else
 * ~/.local/state/mailtoken-connector.  MT_BAD_CONFIG says what to change.
 */
enum mt_status places_prepare(
    struct config *config, struct mt_error *err) MT_MUST_CHECK;

/* Whether config->socket, if there is one, has a place that is no agent's.
 * After places_prepare. */
enum mt_status places_check_socket(
    const struct config *config, struct mt_error *err) MT_MUST_CHECK;

#endif
