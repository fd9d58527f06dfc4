-- What becomes of the sessions that a bot's flow receives? By day, channel and department.
-- chart: bar x=day y=sum(contained),sum(handed_off),sum(interrupted),sum(dropped) stacked
--
-- Asks about sessions (atendimentos), and lets the last entry run of each decide: of a menu that leads to
-- other flows, or a flow within a flow, the one that started last tells how it ended. An entry run is a run of
-- a flow before any queue or agent of its session: only such a one can keep the session from the agents.
--
-- sessions      those with an entry run, each once:  sessions = ended + open + outcome_unknown
-- ended         those whose last entry run has an outcome; the four shares are of these, and are all of them:
-- retencao      contained: the run finished and the session closed without queue or agent
-- transbordo    handed_off: the run finished and the session went on to a queue or an agent
--               interrupted: a queue or an agent came before the run had finished
-- abandono      dropped: the session closed before the run had finished
-- open          still without an outcome: in no share
-- outcome_unknown  no subscribed event can tell the outcome: in no share
--
-- Of runs, not of sessions, are:
-- runs          rows of fact_flow_runs:  runs = entry_runs + mid_runs + exit_runs
-- mid_runs      in the middle of a session; exit_runs at its end, such as a satisfaction survey: of them
-- completed     finished
-- entry_avg_seconds  duration, from start to finish, of each entry run that finished, chained ones apart, with
--               median and p90 (nine in ten took at most about so long: interpolated between the two nearest);
--               a run whose start and finish came in one delivery has none, and is in no average
--
-- day is the date on which the run started, of sessions their last entry run, in the lake's business time
-- zone; channel and department are those of the session, the department the last known one.
-- Shares and averages cannot be averaged again: to see all days as one, set $by_day to false; to see channels or
-- departments as one, take their column out of the SELECT, GROUP BY and ORDER BY. Sessions can be added up.
--
-- $by_day BOOLEAN = true  false for one row of the whole period instead of one a day: day is NULL then
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH last_entries AS (
    SELECT company_id, chat_id, session_no, max(run_no) AS run_no
    FROM fact_flow_runs
    -- Runs before the period take nothing from those in it; later ones may be a session's last.
    WHERE role = 'entry'
        AND ($from IS NULL OR started_date >= $from)
        AND ($company IS NULL OR company_id = $company)
    GROUP BY company_id, chat_id, session_no
),
runs AS (
    SELECT
        run.company_id,
        CASE WHEN $by_day THEN run.started_date END AS day,
        chat.channel,
        chat.department_id,
        department.name AS department_name,
        run.role,
        run.outcome,
        last_entry.run_no IS NOT NULL AS is_session,
        last_entry.run_no IS NOT NULL AND run.outcome <> 'open' AS is_ended,
        CASE WHEN run.role = 'entry' AND run.finished_at IS NOT NULL THEN run.duration_seconds END AS entry_seconds
    FROM fact_flow_runs AS run
    LEFT JOIN last_entries AS last_entry
        ON last_entry.chat_id = run.chat_id
        AND last_entry.session_no = run.session_no
        AND last_entry.run_no = run.run_no
        AND last_entry.company_id IS NOT DISTINCT FROM run.company_id
    LEFT JOIN fact_chats AS chat
        ON chat.chat_id = run.chat_id
        AND chat.session_no = run.session_no
        AND chat.company_id IS NOT DISTINCT FROM run.company_id
    LEFT JOIN dim_departments AS department
        ON department.department_id = chat.department_id
        AND department.company_id IS NOT DISTINCT FROM chat.company_id
    WHERE ($from IS NULL OR run.started_date >= $from)
        AND ($to IS NULL OR run.started_date <= $to)
        AND ($company IS NULL OR run.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
)
SELECT
    company_id,
    day,
    channel,
    department_id,
    department_name,
    count(*) FILTER (WHERE is_session) AS sessions,
    count(*) FILTER (WHERE is_ended) AS ended,
    count(*) FILTER (WHERE is_ended AND outcome = 'contained') AS contained,
    count(*) FILTER (WHERE is_ended AND outcome = 'handed_off') AS handed_off,
    count(*) FILTER (WHERE is_ended AND outcome = 'interrupted') AS interrupted,
    count(*) FILTER (WHERE is_ended AND outcome = 'dropped') AS dropped,
    count(*) FILTER (WHERE is_session AND outcome = 'open') AS open,
    count(*) FILTER (WHERE is_session AND outcome IS NULL) AS outcome_unknown,
    round(
        100.0 * count(*) FILTER (WHERE is_ended AND outcome = 'contained')
        / nullif(count(*) FILTER (WHERE is_ended), 0), 1
    ) AS contained_pct,
    round(
        100.0 * count(*) FILTER (WHERE is_ended AND outcome = 'handed_off')
        / nullif(count(*) FILTER (WHERE is_ended), 0), 1
    ) AS handed_off_pct,
    round(
        100.0 * count(*) FILTER (WHERE is_ended AND outcome = 'interrupted')
        / nullif(count(*) FILTER (WHERE is_ended), 0), 1
    ) AS interrupted_pct,
    round(
        100.0 * count(*) FILTER (WHERE is_ended AND outcome = 'dropped')
        / nullif(count(*) FILTER (WHERE is_ended), 0), 1
    ) AS dropped_pct,
    count(*) AS runs,
    count(*) FILTER (WHERE role = 'entry') AS entry_runs,
    count(*) FILTER (WHERE role = 'mid') AS mid_runs,
    count(*) FILTER (WHERE role = 'exit') AS exit_runs,
    count(*) FILTER (WHERE role <> 'entry' AND outcome = 'completed') AS completed,
    round(avg(entry_seconds), 1) AS entry_avg_seconds,
    round(median(entry_seconds), 1) AS entry_median_seconds,
    round(percentile_cont(0.9) WITHIN GROUP (ORDER BY entry_seconds), 1) AS entry_p90_seconds
FROM runs
GROUP BY company_id, day, channel, department_id, department_name
ORDER BY company_id, day, channel, department_id;
