-- How long do chats take, from start to close and in the hands of agents? By day, channel and department.
-- chart: line x=day y=mean(duration_avg_seconds,duration_known),mean(handle_avg_seconds,handle_known)
--
-- A row of fact_chats is one session; a chat that is reopened starts another.
--
-- sessions      all that began on the day:  sessions = closed + still_open
-- closed        sessions that ended; only they have a duration
-- handled       closed sessions in which an agent took part
-- outcome_unknown  closed sessions whose outcome no subscribed event can tell: in closed, with their duration
-- duration      from the session's start to its close, bot, queue and agents together
-- TMA           tempo medio de atendimento: handle_avg_seconds, the time with agents (the sum over all
--               agents of the session), over handled sessions: one that no agent saw is not a zero
-- unknown       closed sessions whose duration is not known: counted, but in no average
-- duration_known, handle_known  as many sessions the averages are of
-- p90           nine in ten took at most about so long: interpolated between the two nearest
--
-- day is the date on which the session started, in the lake's business time zone; channel and
-- department are the session's last known ones.
-- Averages are over single sessions and cannot be averaged again: to see all days as one, set $by_day to false;
-- to see channels or departments as one, take their column out of the SELECT, GROUP BY and ORDER BY.
--
-- $by_day BOOLEAN = true  false for one row of the whole period instead of one a day: day is NULL then
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH sessions AS (
    SELECT
        chat.company_id,
        CASE WHEN $by_day THEN chat.started_date END AS day,
        chat.channel,
        chat.department_id,
        department.name AS department_name,
        chat.outcome,
        chat.closed_at,
        CASE WHEN chat.closed_at IS NOT NULL THEN chat.duration_seconds END AS duration_seconds,
        CASE WHEN chat.outcome = 'handled' THEN chat.handle_seconds END AS handle_seconds
    FROM fact_chats AS chat
    LEFT JOIN dim_departments AS department
        ON department.department_id = chat.department_id
        AND department.company_id IS NOT DISTINCT FROM chat.company_id
    WHERE ($from IS NULL OR chat.started_date >= $from)
        AND ($to IS NULL OR chat.started_date <= $to)
        AND ($company IS NULL OR chat.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
)
SELECT
    company_id,
    day,
    channel,
    department_id,
    department_name,
    count(*) AS sessions,
    count(closed_at) AS closed,
    count(*) FILTER (WHERE closed_at IS NULL) AS still_open,
    count(*) FILTER (WHERE outcome = 'handled') AS handled,
    count(*) FILTER (WHERE outcome IS NULL) AS outcome_unknown,
    count(*) FILTER (WHERE closed_at IS NOT NULL AND duration_seconds IS NULL) AS unknown,
    count(duration_seconds) AS duration_known,
    round(avg(duration_seconds), 1) AS duration_avg_seconds,
    round(median(duration_seconds), 1) AS duration_median_seconds,
    round(percentile_cont(0.9) WITHIN GROUP (ORDER BY duration_seconds), 1) AS duration_p90_seconds,
    count(handle_seconds) AS handle_known,
    round(avg(handle_seconds), 1) AS handle_avg_seconds,
    round(median(handle_seconds), 1) AS handle_median_seconds,
    round(percentile_cont(0.9) WITHIN GROUP (ORDER BY handle_seconds), 1) AS handle_p90_seconds
FROM sessions
GROUP BY company_id, day, channel, department_id, department_name
ORDER BY company_id, day, channel, department_id;
