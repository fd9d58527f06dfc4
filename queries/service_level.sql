-- Are so many per cent of the waits answered within so many seconds (nivel de servico, SLA)? By half-hour.
-- chart: heatmap x=hour y=weekday_name value=mean(service_level_pct,rated)
--
-- service_level_pct  answered_in_time / (answered_in_time + answered_late + abandoned)
-- rated              answered_in_time + answered_late + abandoned: the waits that the level is of
-- is_met             whether that reaches $percent, before rounding; NULL where nothing is in the formula
-- waits              those that began in the half-hour, every one once, where it ended:
--     waits = answered_in_time + answered_late + answered_unknown + abandoned + short_abandoned + exit_unknown
--             + still_open
-- answered_in_time   an agent took the chat after at most $seconds
-- answered_unknown   answered, but no event shows when the wait began or ended: in no rate
-- abandono           abandoned: the customer left unanswered, however soon after short_abandon_seconds;
--                    abandoned_in_time are those of them within $seconds, for formulas that forgive them
-- short_abandoned    left within seconds (setting short_abandon_seconds): in no rate
-- exit_unknown       closed, and no event could tell whether answered or abandoned: in no rate
-- still_open         waiting yet: in no rate, so the last half-hours are early news
--
-- A stay that ended by a move to another department's queue is no ended wait: it goes on there, and its
-- seconds are counted from the move. What is measured is the queue in which the wait ended, not all that the
-- customer waited: for that see first_wait in targets_missed.
-- weekday_name (Mon to Sun) and hour (8.5 for half past eight) say when in the week the half-hour is.
-- half_hour_local begins the half-hour on the clock of the lake's business time zone; one that the
-- clock repeats holds both. It is NULL for waits whose beginning is not known.
-- Rates cannot be averaged: to see an hour or a day, change the date_bin.
--
-- $seconds BIGINT = 20  answered within so long
-- $percent DOUBLE = 80  the level to reach
-- $from DATE = NULL  first day on which the wait began
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the queue of the department (departamento) of this id
WITH waits AS (
    SELECT
        date_bin(INTERVAL '30 minutes', local_time(entered_at)) AS half_hour_local,
        exit,
        exit = 'answered' AND wait_seconds <= $seconds AS is_in_time,
        exit = 'answered' AND wait_seconds > $seconds AS is_late,
        wait_seconds
    FROM fact_queue_waits
    WHERE ($from IS NULL OR entered_date >= $from)
        AND ($to IS NULL OR entered_date <= $to)
        AND ($company IS NULL OR company_id = $company)
        AND ($channel IS NULL OR channel = $channel)
        AND ($department IS NULL OR department_id = $department)
        AND exit IS DISTINCT FROM 'department_changed'
),
terms AS (
    SELECT
        half_hour_local,
        count(*) AS waits,
        count(*) FILTER (WHERE is_in_time) AS answered_in_time,
        count(*) FILTER (WHERE is_late) AS answered_late,
        count(*) FILTER (WHERE exit = 'answered' AND wait_seconds IS NULL) AS answered_unknown,
        count(*) FILTER (WHERE exit = 'abandoned') AS abandoned,
        count(*) FILTER (WHERE exit = 'abandoned' AND wait_seconds <= $seconds) AS abandoned_in_time,
        count(*) FILTER (WHERE exit = 'short_abandoned') AS short_abandoned,
        count(*) FILTER (WHERE exit IS NULL) AS exit_unknown,
        count(*) FILTER (WHERE exit = 'open') AS still_open
    FROM waits
    GROUP BY half_hour_local
)
SELECT
    half_hour_local,
    ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'][CAST(date_part('isodow', half_hour_local) AS BIGINT)]
        AS weekday_name,
    date_part('hour', half_hour_local) + date_part('minute', half_hour_local) / 60.0 AS hour,
    waits,
    answered_in_time,
    answered_late,
    answered_unknown,
    abandoned,
    abandoned_in_time,
    short_abandoned,
    exit_unknown,
    still_open,
    answered_in_time + answered_late + abandoned AS rated,
    round(
        100.0 * answered_in_time / nullif(answered_in_time + answered_late + abandoned, 0), 1
    ) AS service_level_pct,
    100.0 * answered_in_time / nullif(answered_in_time + answered_late + abandoned, 0) >= $percent AS is_met
FROM terms
ORDER BY half_hour_local;
