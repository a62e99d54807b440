/* SPDX-License-Identifier: ISC */
#include "mime_calendar.h"

#include <glib.h>
#include <libical/ical.h>
#include <string.h>

#include "mime_calendar_lines.h"

void
mime_calendar_init(void)
{
	icalerror_set_errors_are_fatal(0);
	/* It reads the list of zones at the first time in UTC, once.  There
	 * is no such directory, so that it finds none. */
	icaltimezone_set_builtin_tzdata(1);
	set_zone_directory("/nonexistent");
	icaltimezone_get_utc_timezone();
}

static const char *
component_name(icalcomponent *component)
{
	switch ((int)icalcomponent_isa(component)) {
	case ICAL_VEVENT_COMPONENT:
		return "event";
	case ICAL_VTODO_COMPONENT:
		return "todo";
	case ICAL_VJOURNAL_COMPONENT:
		return "journal";
	case ICAL_VFREEBUSY_COMPONENT:
		return "freebusy";
	default:
		return NULL;
	}
}

/* The value of a property if it is of this kind: libical's getters take it for
 * granted. */
static icalvalue *
value_of(icalproperty *property, icalvalue_kind kind)
{
	icalvalue *value = property ? icalproperty_get_value(property) : NULL;

	return value && icalvalue_isa(value) == kind ? value : NULL;
}

static const char *
text_of(icalcomponent *component, icalproperty_kind kind)
{
	icalvalue *value = value_of(
	    icalcomponent_get_first_property(component, kind), ICAL_TEXT_VALUE);

	return value ? icalvalue_get_text(value) : NULL;
}

/* A word such as a method or a status, whose kind of value is its own. */
static const char *
word_of(icalcomponent *component, icalproperty_kind kind)
{
	icalproperty *property =
	    icalcomponent_get_first_property(component, kind);

	return property ? icalproperty_get_value_as_string(property) : NULL;
}

static char *
sequence_of(icalcomponent *component)
{
	icalvalue *value = value_of(
	    icalcomponent_get_first_property(component, ICAL_SEQUENCE_PROPERTY),
	    ICAL_INTEGER_VALUE);
	int number = value ? icalvalue_get_integer(value) : 0;

	return g_strdup_printf("%d", CLAMP(number, 0, 999999999));
}

/* libical reads numbers, and does not look at what they are. */
static bool
is_time(struct icaltimetype time)
{
	return time.year >= 1 && time.year <= 9999 && time.month >= 1 &&
	       time.month <= 12 && time.day >= 1 &&
	       time.day <= icaltime_days_in_month(time.month, time.year) &&
	       time.hour >= 0 && time.hour <= 23 && time.minute >= 0 &&
	       time.minute <= 59 && time.second >= 0 && time.second <= 60;
}

static char *
format_time(struct icaltimetype time)
{
	if (!is_time(time))
		return NULL;
	if (time.is_date)
		return g_strdup_printf(
		    "%04d-%02d-%02d", time.year, time.month, time.day);
	return g_strdup_printf("%04d-%02d-%02dT%02d:%02d:%02d%s", time.year,
	    time.month, time.day, time.hour, time.minute, time.second,
	    icaltime_is_utc(time) ? "Z" : "");
}

/* The time that a property has; false if it has none. */
static bool
time_of(icalproperty *property, struct icaltimetype *ret_time)
{
	icalvalue *value = value_of(property, ICAL_DATETIME_VALUE);

	if (value)
		*ret_time = icalvalue_get_datetime(value);
	else if ((value = value_of(property, ICAL_DATE_VALUE)))
		*ret_time = icalvalue_get_date(value);
	return value && is_time(*ret_time);
}

static const char *
zone_of(icalproperty *property)
{
	return icalproperty_get_parameter_as_string(property, "TZID");
}

/* Fills the text of a time, and of its zone unless `zone` is NULL.  The zone
 * stays a name: what it means stands in files, or in the sender's own rules. */
static void
take_time(icalproperty *property, char **text, const char **zone)
{
	struct icaltimetype time;

	if (!property || !time_of(property, &time))
		return;
	*text = format_time(time);
	if (zone && !icaltime_is_utc(time))
		*zone = zone_of(property);
}

/* The end, where it is given as a DURATION. */
static char *
end_by_duration(icalcomponent *component)
{
	icalvalue *value = value_of(
	    icalcomponent_get_first_property(component, ICAL_DURATION_PROPERTY),
	    ICAL_DURATION_VALUE);
	struct icaltimetype start;
	icalproperty *property =
	    icalcomponent_get_first_property(component, ICAL_DTSTART_PROPERTY);
	struct icaldurationtype duration;

	if (!value || !property || !time_of(property, &start))
		return NULL;
	duration = icalvalue_get_duration(value);
	/* beyond a century it is no appointment, and nears an overflow */
	if (duration.weeks > 5300 || duration.days > 36600 ||
	    duration.hours > 880000 || duration.minutes > 53000000)
		return NULL;
	return format_time(icaltime_add(start, duration));
}

/* An address without its `mailto:`. */
static const char *
address_of(icalproperty *property)
{
	icalvalue *value = value_of(property, ICAL_CALADDRESS_VALUE);
	const char *address = value ? icalvalue_get_caladdress(value) : NULL;

	if (address && g_ascii_strncasecmp(address, "mailto:", 7) == 0)
		return address + 7;
	return address;
}

static void
report_attendees(struct mime_report *report, icalcomponent *component)
{
	icalproperty *p =
	    icalcomponent_get_first_property(component, ICAL_ATTENDEE_PROPERTY);
	size_t count = 0;

	/* the lines that were passed on are bounded, and so is this */
	for (; p && count < MIME_SUMMARY_ROWS_MAX; count++) {
		const char *partstat =
		    icalproperty_get_parameter_as_string(p, "PARTSTAT");

		mime_report_row(report, MIME_FRAME_ROW, MIME_CALENDAR,
		    (const char *const[MIME_ATTENDEE_TEXTS]){
			[MIME_ATTENDEE_ADDRESS] = address_of(p),
			[MIME_ATTENDEE_NAME] =
			    icalproperty_get_parameter_as_string(p, "CN"),
			/* RFC 5545 section 3.2.12 */
			[MIME_ATTENDEE_PARTSTAT] =
			    partstat && *partstat ? partstat : "NEEDS-ACTION",
		    });
		p = icalcomponent_get_next_property(
		    component, ICAL_ATTENDEE_PROPERTY);
	}
}

static icalproperty *
end_of(icalcomponent *component)
{
	icalproperty *end =
	    icalcomponent_get_first_property(component, ICAL_DTEND_PROPERTY);

	return end ? end
		   : icalcomponent_get_first_property(
			 component, ICAL_DUE_PROPERTY);
}

static void
report_component(
    struct mime_report *report, const char *method, icalcomponent *component)
{
	icalproperty *start =
	    icalcomponent_get_first_property(component, ICAL_DTSTART_PROPERTY);
	char *sequence = sequence_of(component);
	char *starts = NULL, *ends = NULL, *recurs = NULL;
	const char *texts[MIME_CALENDAR_TEXTS] = {
	    [MIME_CALENDAR_METHOD] = method,
	    [MIME_CALENDAR_COMPONENT] = component_name(component),
	    [MIME_CALENDAR_SEQUENCE] = sequence,
	};

	take_time(start, &starts, &texts[MIME_CALENDAR_START_TIMEZONE]);
	take_time(end_of(component), &ends, &texts[MIME_CALENDAR_END_TIMEZONE]);
	if (!ends) {
		ends = end_by_duration(component);
		texts[MIME_CALENDAR_END_TIMEZONE] =
		    ends ? texts[MIME_CALENDAR_START_TIMEZONE] : NULL;
	}
	take_time(icalcomponent_get_first_property(
		      component, ICAL_RECURRENCEID_PROPERTY),
	    &recurs, NULL);
	texts[MIME_CALENDAR_START] = starts;
	texts[MIME_CALENDAR_END] = ends;
	texts[MIME_CALENDAR_RECURRENCE_ID] = recurs;
	texts[MIME_CALENDAR_UID] = text_of(component, ICAL_UID_PROPERTY);
	texts[MIME_CALENDAR_SUMMARY] =
	    text_of(component, ICAL_SUMMARY_PROPERTY);
	texts[MIME_CALENDAR_LOCATION] =
	    text_of(component, ICAL_LOCATION_PROPERTY);
	texts[MIME_CALENDAR_STATUS] = word_of(component, ICAL_STATUS_PROPERTY);
	texts[MIME_CALENDAR_ORGANIZER] =
	    address_of(icalcomponent_get_first_property(
		component, ICAL_ORGANIZER_PROPERTY));
	mime_report_row(report, MIME_FRAME_SUMMARY, MIME_CALENDAR, texts);
	report_attendees(report, component);
	g_free(sequence);
	g_free(starts);
	g_free(ends);
	g_free(recurs);
}

bool
mime_calendar_report(struct mime_report *report, const char *text)
{
	char *lines = mime_calendar_lines(report, text);
	icalcomponent *calendar, *component;
	const char *method;
	bool found = false;

	if (!lines)
		return false;
	calendar = icalparser_parse_string(lines);
	g_free(lines);
	if (!calendar)
		return false;
	component =
	    icalcomponent_get_first_component(calendar, ICAL_ANY_COMPONENT);
	method = word_of(calendar, ICAL_METHOD_PROPERTY);
	if (method && component && component_name(component)) {
		report_component(report, method, component);
		found = true;
	}
	icalcomponent_free(calendar);
	icalmemory_free_ring(); /* what its getters gave */
	return found;
}
