/* SPDX-License-Identifier: ISC */
#include "command.h"

#include "announce.h"
#include "base/log.h"
#include "places.h"
#include "run.h"
#include "service.h"

#include <unistd.h>

static enum mt_status
prepare_socket(
    const struct invocation *in, struct run_settings *run, struct mt_error *err)
{
	enum mt_status status = places_check_socket(&in->config, err);

	return status == MT_OK ? socket_users_read(&run->socket_users,
				     in->config.socket_allow, err)
			       : status;
}

static enum mt_status
open_all(struct invocation *in, struct run_settings *run, struct mt_error *err)
{
	enum mt_status status = prepare_socket(in, run, err);

	if (status == MT_OK)
		status = command_open(in, err);
	if (status == MT_OK)
		status = command_deliver(in, err);
	run->accounts = in->accounts;
	return status;
}

int
command_run(struct invocation *in)
{
	struct run_settings run = {
	    .config = &in->config,
	    .resources = &in->resources,
	    .control_path = in->control_path,
	};
	struct mt_error err;
	enum mt_status status;
	bool left = false;

	service_hold_signals(true);
	if (!in->secrets_locked)
		log_info("secrets are kept out of core dumps but may be "
			 "swapped out: RLIMIT_MEMLOCK is too low");
	status = open_all(in, &run, &err);
	if (status == MT_OK)
		status = run_service(&run, &left, &err);
	if (status == MT_OK)
		status = announcer_trouble(in->resources.announcer, &err);
	if (left) {
		log_warning("ending in the middle of something that takes too "
			    "long; nothing is lost by it");
		_exit(mt_exit_code(status));
	}
	command_end_delivery(in, mt_exit_code(status));
	command_close(in);
	if (status != MT_OK)
		log_error("%s", err.text);
	return mt_exit_code(status);
}
