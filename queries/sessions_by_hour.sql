-- At which hours of the week do chats come in? A heat map of weekday by hour.
-- chart: heatmap x=hour y=weekday_name value=sessions_per_day
--
-- sessions          sessions (atendimentos) that started in this hour of this weekday, over all weeks
-- days              how many such weekdays the period has
-- sessions_per_day  sessions / days: what to expect of one such day. Compare this, not sessions, when
--                   the period does not hold every weekday equally often.
--
-- Hours are those of the lake's business time zone; weekday is 1 for Monday (weekday_name Mon) to 7 for
-- Sunday (Sun). All 24 hours are there of each weekday that the period holds: 168 if it holds a week.
-- 0 is measured, as the period is cut to the days on which the lake received something: from the first
-- delivery of a session to the last event of one, in the lake, or of $company in it. Sessions that are said
-- to have started before or after, by a flow's creation date or a sender's clock, are not counted here: how
-- many others started in their hour is not known. The hour that a change of the clock repeats counts double,
-- the one it skips is 0.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH period AS (
    SELECT
        greatest(local_date(min(first_delivered_at)), $from) AS first_day,
        -- The time of a delivery may be ahead of when it was received.
        least(local_date(least(max(last_event_at), (SELECT max(received_at) FROM events))), $to) AS last_day
    FROM fact_chats
    WHERE $company IS NULL OR company_id = $company
),
weekdays AS (
    SELECT date_part('isodow', day) AS weekday, count(*) AS days
    FROM (
        SELECT unnest(generate_series(first_day, last_day, INTERVAL '1 day')) AS day
        FROM period
        WHERE first_day <= last_day
    )
    GROUP BY weekday
),
started AS (
    SELECT
        date_part('isodow', local_time(started_at)) AS weekday,
        date_part('hour', local_time(started_at)) AS hour,
        count(*) AS sessions
    FROM fact_chats
    CROSS JOIN period
    WHERE started_date BETWEEN first_day AND last_day
        AND ($from IS NULL OR started_date >= $from)
        AND ($to IS NULL OR started_date <= $to)
        AND ($company IS NULL OR company_id = $company)
        AND ($channel IS NULL OR channel = $channel)
        AND ($department IS NULL OR department_id = $department)
    GROUP BY weekday, hour
)
SELECT
    weekdays.weekday,
    ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'][CAST(weekdays.weekday AS BIGINT)] AS weekday_name,
    hours.value AS hour,
    coalesce(started.sessions, 0) AS sessions,
    weekdays.days,
    round(coalesce(started.sessions, 0) / CAST(weekdays.days AS DOUBLE), 2) AS sessions_per_day
FROM weekdays
CROSS JOIN generate_series(0, 23) AS hours
LEFT JOIN started ON started.weekday = weekdays.weekday AND started.hour = hours.value
ORDER BY weekday, hour;
