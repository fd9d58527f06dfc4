//! The functions that queries over chats are made of: the lake's own, and those of DataFusion that analysts
//! reach for. Each with an example that runs.

/// A function as `huggy-etl functions` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionInfo {
    pub name: &'static str,
    pub signature: &'static str,
    /// What it gives, in a sentence.
    pub meaning: &'static str,
    /// A statement over the lake.
    pub example: &'static str,
}

const fn function(
    name: &'static str,
    signature: &'static str,
    meaning: &'static str,
    example: &'static str,
) -> FunctionInfo {
    FunctionInfo {
        name,
        signature,
        meaning,
        example,
    }
}

pub const FUNCTIONS: [FunctionInfo; 21] = [
    function(
        "local_time",
        "local_time(instant) -> TIMESTAMP",
        "What a clock of the business time zone shows at an instant.",
        "SELECT chat_id, local_time(started_at) AS started FROM fact_chats LIMIT 3",
    ),
    function(
        "local_date",
        "local_date(instant) -> DATE",
        "The date in the business time zone at an instant.",
        "SELECT local_date(closed_at) AS closed, count(*) AS sessions FROM fact_chats GROUP BY 1",
    ),
    function(
        "date_start",
        "date_start(date) -> TIMESTAMP WITH TIME ZONE",
        "The instant at which a date of the business time zone begins.",
        "SELECT count(*) FROM fact_chats WHERE started_at >= date_start(DATE '2024-03-01')",
    ),
    function(
        "business_seconds",
        "business_seconds(from, to [, department_id]) -> BIGINT",
        "The seconds between two instants in which the business, or the department, is open; NULL without business hours.",
        "SELECT chat_id, business_seconds(started_at, closed_at, department_id) AS open FROM fact_chats LIMIT 3",
    ),
    function(
        "service_level",
        "service_level(wait_seconds, exit, seconds, 'variant') -> DOUBLE",
        "Per cent of waits answered within so many seconds. Variants: answered_of_answered, answered_of_offered, \
        answered_of_offered_less_short (short abandonments in no rate: that of the saved query), \
        answered_of_offered_less_early (nor others who left within the seconds), answered_or_left_early_of_offered \
        (those who left within the seconds count as served).",
        "SELECT channel, service_level(wait_seconds, exit, 20, 'answered_of_offered_less_short') AS pct FROM fact_queue_waits GROUP BY 1",
    ),
    function(
        "json_get_str",
        "json_get_str(json, key or index, ...) -> TEXT",
        "The string at a path in JSON text; NULL if there is none.",
        "SELECT json_get_str(payload, 'customer', 'name') AS name FROM events LIMIT 3",
    ),
    function(
        "json_get_int",
        "json_get_int(json, key or index, ...) -> BIGINT",
        "The whole number at a path in JSON text.",
        "SELECT json_get_int(payload, 'id') AS id FROM events LIMIT 3",
    ),
    function(
        "json_get_float",
        "json_get_float(json, key or index, ...) -> DOUBLE",
        "The number at a path in JSON text.",
        "SELECT json_get_float('{\"scores\": [0.5, 0.75]}', 'scores', 1) AS score",
    ),
    function(
        "json_get_bool",
        "json_get_bool(json, key or index, ...) -> BOOLEAN",
        "The true or false at a path in JSON text.",
        "SELECT json_get_bool(payload, 'is_internal') AS is_internal FROM events LIMIT 3",
    ),
    function(
        "json_get_json",
        "json_get_json(json, key or index, ...) -> TEXT",
        "What is at a path in JSON text, as JSON; json -> key is the same.",
        "SELECT payload -> 'customer' AS customer FROM events LIMIT 3",
    ),
    function(
        "json_as_text",
        "json_as_text(json, key or index, ...) -> TEXT",
        "What is at a path in JSON text, a string without its quotes; json ->> key is the same.",
        "SELECT answers ->> 'menu.opcao' AS answer, count(*) AS runs FROM fact_flow_runs GROUP BY 1",
    ),
    function(
        "json_contains",
        "json_contains(json, key or index, ...) -> BOOLEAN",
        "Whether there is anything at a path in JSON text.",
        "SELECT count(*) FROM events WHERE json_contains(payload, 'department')",
    ),
    function(
        "json_length",
        "json_length(json, key or index, ...) -> BIGINT",
        "How many items the array or object at a path in JSON text has.",
        "SELECT json_length(answers) AS questions, count(*) AS runs FROM fact_flow_runs GROUP BY 1",
    ),
    function(
        "percentile_cont",
        "percentile_cont(share) WITHIN GROUP (ORDER BY value) -> DOUBLE",
        "The exact value below which that share of the values lies, between two values by proportion.",
        "SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY first_wait_seconds) AS p90_seconds FROM fact_chats",
    ),
    function(
        "approx_percentile_cont",
        "approx_percentile_cont(share) WITHIN GROUP (ORDER BY value) -> number",
        "As percentile_cont, nearly, in little memory (t-digest).",
        "SELECT approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY first_wait_seconds) AS p90_seconds FROM fact_chats",
    ),
    function(
        "median",
        "median(value) -> number",
        "The middle value.",
        "SELECT median(first_response_seconds) AS median_seconds FROM fact_chats",
    ),
    function(
        "approx_distinct",
        "approx_distinct(value) -> BIGINT",
        "How many different values there are, nearly, in little memory.",
        "SELECT approx_distinct(contact_id) AS contacts FROM fact_chats",
    ),
    function(
        "date_bin",
        "date_bin(interval, time) -> TIMESTAMP",
        "The beginning of the stretch of that length in which a time lies.",
        "SELECT date_bin(INTERVAL '30 minutes', local_time(started_at)) AS half_hour, count(*) AS sessions FROM fact_chats GROUP BY 1 ORDER BY 1",
    ),
    function(
        "date_trunc",
        "date_trunc('month', time) -> TIMESTAMP",
        "The beginning of the year, quarter, month, week, day, hour or minute in which a time lies.",
        "SELECT date_trunc('week', started_date) AS week, count(*) AS sessions FROM fact_chats GROUP BY 1 ORDER BY 1",
    ),
    function(
        "date_part",
        "date_part('dow', time) -> number",
        "The year, month, day, hour, dow (Sunday is 0) or epoch of a time.",
        "SELECT date_part('dow', local_time(started_at)) AS weekday, count(*) AS sessions FROM fact_chats GROUP BY 1 ORDER BY 1",
    ),
    function(
        "coalesce",
        "coalesce(value, ...) -> value",
        "The first of the values that is not NULL.",
        "SELECT coalesce(channel, 'unknown') AS channel, count(*) AS sessions FROM fact_chats GROUP BY 1",
    ),
];
