-- Why are chats closed (tabulacao), and what do the reasons cost? By channel, department and reason.
-- chart: bar x=tabulation_name y=sum(closed)
--
-- closed            closed sessions (atendimentos) with this reason; the row whose tabulation is NULL holds
--                   those closed without one, so that the rows are all closed sessions. What closes most
--                   comes first, of all channels and departments together
-- pct               of all closed sessions of the company, channel and department, whose rows add up to 100
-- handled           of closed, those in which an agent took part: only they have a handling time
-- outcome_unknown   of closed, those whose outcome no subscribed event can tell
-- TMA               handle_avg_seconds and handle_median_seconds: time with agents, of handled
-- duration_median_seconds   from the session's start to its close, bot and queue included
-- reopened          of closed, those whose chat was opened again later, however much later
--
-- Open sessions have no reason yet and are not here. The period is that of the session's start, in the
-- lake's business time zone; channel and department are its last known ones. A reason that was renamed is
-- two rows of one tabulation_id. Averages cannot be averaged over rows.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH last_sessions AS (
    SELECT company_id, chat_id, max(session_no) AS session_no
    FROM fact_chats
    GROUP BY company_id, chat_id
),
closed AS (
    SELECT
        chat.company_id,
        chat.channel,
        chat.department_id,
        department.name AS department_name,
        chat.tabulation_id,
        chat.tabulation_name,
        chat.outcome,
        chat.duration_seconds,
        CASE WHEN chat.outcome = 'handled' THEN chat.handle_seconds END AS handle_seconds,
        chat.session_no < last_sessions.session_no AS is_reopened
    FROM fact_chats AS chat
    LEFT JOIN last_sessions
        ON last_sessions.chat_id = chat.chat_id
        AND last_sessions.company_id IS NOT DISTINCT FROM chat.company_id
    LEFT JOIN dim_departments AS department
        ON department.department_id = chat.department_id
        AND department.company_id IS NOT DISTINCT FROM chat.company_id
    WHERE chat.closed_at IS NOT NULL
        AND ($from IS NULL OR chat.started_date >= $from)
        AND ($to IS NULL OR chat.started_date <= $to)
        AND ($company IS NULL OR chat.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
)
SELECT
    company_id,
    channel,
    department_id,
    department_name,
    tabulation_id,
    tabulation_name,
    count(*) AS closed,
    round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY company_id, channel, department_id), 1) AS pct,
    count(*) FILTER (WHERE outcome = 'handled') AS handled,
    count(*) FILTER (WHERE outcome IS NULL) AS outcome_unknown,
    round(avg(handle_seconds), 1) AS handle_avg_seconds,
    round(median(handle_seconds), 1) AS handle_median_seconds,
    round(median(duration_seconds), 1) AS duration_median_seconds,
    count(*) FILTER (WHERE is_reopened) AS reopened
FROM closed
GROUP BY company_id, channel, department_id, department_name, tabulation_id, tabulation_name
ORDER BY
    company_id,
    sum(count(*)) OVER (PARTITION BY company_id, tabulation_id, tabulation_name) DESC,
    tabulation_id,
    tabulation_name,
    closed DESC,
    channel,
    department_id;
