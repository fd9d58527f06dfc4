-- How far can the numbers be trusted? The share of inferred instants, gaps in the deliveries, skewed clocks.
-- chart: bar x=measure y=inferred_pct,unknown_pct stacked
--
-- One row per measure, of the rows of its table:  rows = sure + inferred + unknown. What is unknown is NULL
-- in the facts and in no average of the other queries.
--
-- session_start     inferred: the first event seen, as neither startedChat nor the flow tells
-- session_close     closed sessions; inferred: the time of the delivery, as closed_at is missing
-- queue_entry       inferred: the end of the bot's flow; unknown: only its bounds are, worst_seconds apart
-- queue_exit        ended stays; inferred: agentEntered came, and leftQueue did not within 60 seconds of it, or
--                   retention has removed it from the events; unknown: only seen to be over
-- segment_end       ended segments; inferred: only the latest it can have been
-- message_sent      inferred: the time of the delivery, as send_at is missing
-- flow_duration     finished runs; unknown: start and end came in one delivery
-- event_content     unknown: events with a parse_error, of which a column could not be filled
-- event_clock       events with an instant of their own; inferred: it lies more than $skew_seconds after
--                   the delivery (worst_seconds the most): two clocks disagree
-- event_delay       the same; inferred: delivered more than $late_seconds after it: yesterday's numbers rose
-- delivery_gap      stretches from one delivery to the next that reach into the period, so that one over
--                   midnight is of both days; inferred: longer than $gap_minutes, so that nobody wrote, or
--                   nothing was received (worst_seconds the longest, whole). 0 rows where the lake has no
--                   delivery before or after: before its first, and after its last, nothing is known
--
-- The period is that of each table's date; for events, of their delivery. Dates are those of the lake's
-- business time zone. $company, $channel and $department leave out events that name none; the gaps are those
-- of all channels and departments. Of events, clocks are as read when they were stored: a `timezone` that is
-- changed corrects the facts, and only what is stored from then on here.
--
-- $skew_seconds BIGINT = 5  how far clocks may disagree
-- $late_seconds BIGINT = 300  how late a delivery may be
-- $gap_minutes BIGINT = 60  how long there may be no delivery
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH chats AS (
    SELECT *
    FROM fact_chats
    WHERE ($from IS NULL OR started_date >= $from)
        AND ($to IS NULL OR started_date <= $to)
        AND ($company IS NULL OR company_id = $company)
        AND ($channel IS NULL OR channel = $channel)
        AND ($department IS NULL OR department_id = $department)
),
waits AS (
    SELECT *
    FROM fact_queue_waits
    WHERE ($from IS NULL OR entered_date >= $from)
        AND ($to IS NULL OR entered_date <= $to)
        AND ($company IS NULL OR company_id = $company)
        AND ($channel IS NULL OR channel = $channel)
        AND ($department IS NULL OR department_id = $department)
),
delivered AS (
    SELECT occurred_at, occurred_at_source, delivered_at, parse_error
    FROM events
    -- event_date is UTC: a day more on either side, for files to be passed over.
    WHERE ($from IS NULL OR (event_date >= $from - 1 AND local_date(delivered_at) >= $from))
        AND ($to IS NULL OR (event_date <= $to + 1 AND local_date(delivered_at) <= $to))
        AND ($company IS NULL OR company_id = $company)
        AND ($channel IS NULL OR channel = $channel)
        AND ($department IS NULL OR department_id = $department)
),
clocks AS (
    SELECT date_part('epoch', delivered_at - occurred_at) AS delay_seconds
    FROM delivered
    WHERE occurred_at_source IN ('send_at', 'closed_at')
),
-- Of all deliveries, as the one before the period's first is not in it.
gaps AS (
    SELECT date_part('epoch', delivered_at - last_at) AS gap_seconds
    FROM (
        SELECT delivered_at, lag(delivered_at) OVER (ORDER BY delivered_at) AS last_at
        FROM (SELECT DISTINCT delivered_at FROM events WHERE $company IS NULL OR company_id = $company)
    )
    WHERE last_at IS NOT NULL
        AND ($from IS NULL OR local_date(delivered_at) >= $from)
        AND ($to IS NULL OR local_date(last_at) <= $to)
),
exits AS (
    SELECT
        wait.left_at,
        wait.left_source = 'agentEntered' AND wait.left_at IS NOT NULL AND NOT wait.has_left_queue AS is_inferred
    FROM (
        SELECT
            wait.company_id,
            wait.chat_id,
            wait.session_no,
            wait.episode_no,
            wait.left_at,
            wait.left_source,
            bool_or(event.delivered_at IS NOT NULL) AS has_left_queue
        FROM waits AS wait
        LEFT JOIN (
            SELECT company_id, chat_id, delivered_at
            FROM events
            WHERE event_type = 'leftQueue'
        ) AS event
            ON event.chat_id = wait.chat_id
            AND wait.left_source = 'agentEntered'
            AND date_part('epoch', event.delivered_at - wait.left_at) BETWEEN 0 AND 60
            AND (event.company_id IS NULL OR event.company_id IS NOT DISTINCT FROM wait.company_id)
        WHERE wait.exit IS DISTINCT FROM 'open'
        GROUP BY
            wait.company_id, wait.chat_id, wait.session_no, wait.episode_no, wait.left_at, wait.left_source
    ) AS wait
),
measures AS (
    SELECT
        1 AS place,
        'session_start' AS measure,
        count(*) AS rows,
        count(*) FILTER (WHERE started_at_source = 'first_event') AS inferred,
        0 AS unknown,
        CAST(NULL AS DOUBLE) AS worst_seconds
    FROM chats
    UNION ALL
    SELECT
        2, 'session_close', count(*),
        count(*) FILTER (WHERE closed_at_source <> 'closed_at'),
        count(*) FILTER (WHERE closed_at IS NULL),
        NULL
    FROM chats
    WHERE state = 'closed'
    UNION ALL
    SELECT
        3, 'queue_entry', count(*),
        count(*) FILTER (WHERE entered_source = 'flow_finished' AND entered_at IS NOT NULL),
        count(*) FILTER (WHERE entered_at IS NULL),
        max(date_part('epoch', entered_latest - entered_earliest)) FILTER (WHERE entered_at IS NULL)
    FROM waits
    UNION ALL
    SELECT
        4, 'queue_exit', count(*),
        count(*) FILTER (WHERE is_inferred),
        count(*) FILTER (WHERE left_at IS NULL),
        NULL
    FROM exits
    UNION ALL
    SELECT 5, 'segment_end', count(*), count(*) FILTER (WHERE ended_bounded), 0, NULL
    FROM fact_agent_segments
    WHERE end_reason <> 'open'
        AND ($from IS NULL OR started_date >= $from)
        AND ($to IS NULL OR started_date <= $to)
        AND ($company IS NULL OR company_id = $company)
        AND ($channel IS NULL OR channel = $channel)
        AND ($department IS NULL OR department_id = $department)
    UNION ALL
    SELECT 6, 'message_sent', count(*), count(*) FILTER (WHERE sent_at_source <> 'send_at'), 0, NULL
    FROM fact_messages
    WHERE ($from IS NULL OR sent_date >= $from)
        AND ($to IS NULL OR sent_date <= $to)
        AND ($company IS NULL OR company_id = $company)
        AND ($channel IS NULL OR channel = $channel)
        AND ($department IS NULL OR department_id = $department)
    UNION ALL
    SELECT 7, 'flow_duration', count(*), 0, count(*) FILTER (WHERE run.duration_seconds IS NULL), NULL
    FROM fact_flow_runs AS run
    LEFT JOIN fact_chats AS chat
        ON chat.chat_id = run.chat_id
        AND chat.session_no = run.session_no
        AND chat.company_id IS NOT DISTINCT FROM run.company_id
    WHERE run.finished_at IS NOT NULL
        AND ($from IS NULL OR run.started_date >= $from)
        AND ($to IS NULL OR run.started_date <= $to)
        AND ($company IS NULL OR run.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
    UNION ALL
    SELECT 8, 'event_content', count(*), 0, count(parse_error), NULL
    FROM delivered
    UNION ALL
    SELECT
        9, 'event_clock', count(*),
        count(*) FILTER (WHERE -delay_seconds > $skew_seconds), 0,
        max(-delay_seconds) FILTER (WHERE delay_seconds < 0)
    FROM clocks
    UNION ALL
    SELECT
        10, 'event_delay', count(*),
        count(*) FILTER (WHERE delay_seconds > $late_seconds), 0,
        max(delay_seconds) FILTER (WHERE delay_seconds > 0)
    FROM clocks
    UNION ALL
    SELECT
        11, 'delivery_gap', count(gap_seconds),
        count(*) FILTER (WHERE gap_seconds > 60 * $gap_minutes), 0,
        max(gap_seconds)
    FROM gaps
)
SELECT
    measure,
    rows,
    rows - inferred - unknown AS sure,
    inferred,
    unknown,
    round(100.0 * inferred / nullif(rows, 0), 1) AS inferred_pct,
    round(100.0 * unknown / nullif(rows, 0), 1) AS unknown_pct,
    CAST(worst_seconds AS BIGINT) AS worst_seconds
FROM measures
ORDER BY place;
