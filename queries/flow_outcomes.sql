-- What becomes of the chats that a bot's flow receives? By day, channel and department.
-- chart: bar x=day y=sum(contained),sum(handed_off),sum(interrupted),sum(dropped) stacked
--
-- A row of fact_flow_runs is one run of a flow. Only entry runs, those before any queue or agent of
-- their session, can keep a chat from the agents; a run in the middle (mid_runs) or at the end of a session
-- (exit_runs), such as a satisfaction survey, is counted and has no part in the shares.
--
-- entry_runs    entry_runs = entry_ended + entry_open + entry_unknown
-- entry_ended   entry runs whose outcome is settled; the four shares are of these, and are all of them:
-- retencao      contained: the run finished and the session closed without queue or agent
-- transbordo    handed_off: the run finished and the session went on to a queue or an agent
--               interrupted: a queue or an agent came before the run had finished
-- abandono      dropped: the session closed before the run had finished
-- entry_open    entry runs still without an outcome: in no share
-- entry_unknown entry runs whose outcome no subscribed event can tell: in no share
-- completed     runs in the middle or at the end of a session that finished
-- duration      from start to finish, of entry runs that finished; a run whose start and finish came
--               in one delivery has none, and is in no average
-- p90           nine in ten took at most so long
--
-- day is the date on which the run started, in the lake's business time zone; channel and department are
-- those of the run's session, the department the last known one.
-- Shares and averages are over single runs and cannot be averaged again: to see several days, channels
-- or departments as one, take their column out of the SELECT, GROUP BY and ORDER BY.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH runs AS (
    SELECT
        run.company_id,
        run.started_date AS day,
        chat.channel,
        chat.department_id,
        run.role,
        run.outcome,
        run.role = 'entry' AND run.outcome <> 'open' AS is_entry_ended,
        CASE
            WHEN run.role = 'entry' AND run.finished_at IS NOT NULL THEN run.duration_seconds
        END AS entry_seconds
    FROM fact_flow_runs AS run
    LEFT JOIN fact_chats AS chat
        ON chat.chat_id = run.chat_id
        AND chat.session_no = run.session_no
        AND chat.company_id IS NOT DISTINCT FROM run.company_id
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
    count(*) AS runs,
    count(*) FILTER (WHERE role = 'entry') AS entry_runs,
    count(*) FILTER (WHERE role = 'mid') AS mid_runs,
    count(*) FILTER (WHERE role = 'exit') AS exit_runs,
    count(*) FILTER (WHERE is_entry_ended) AS entry_ended,
    count(*) FILTER (WHERE is_entry_ended AND outcome = 'contained') AS contained,
    count(*) FILTER (WHERE is_entry_ended AND outcome = 'handed_off') AS handed_off,
    count(*) FILTER (WHERE is_entry_ended AND outcome = 'interrupted') AS interrupted,
    count(*) FILTER (WHERE is_entry_ended AND outcome = 'dropped') AS dropped,
    count(*) FILTER (WHERE role = 'entry' AND outcome = 'open') AS entry_open,
    count(*) FILTER (WHERE role = 'entry' AND outcome IS NULL) AS entry_unknown,
    count(*) FILTER (WHERE role <> 'entry' AND outcome = 'completed') AS completed,
    round(
        100.0 * count(*) FILTER (WHERE is_entry_ended AND outcome = 'contained')
        / nullif(count(*) FILTER (WHERE is_entry_ended), 0), 1
    ) AS contained_pct,
    round(
        100.0 * count(*) FILTER (WHERE is_entry_ended AND outcome = 'handed_off')
        / nullif(count(*) FILTER (WHERE is_entry_ended), 0), 1
    ) AS handed_off_pct,
    round(
        100.0 * count(*) FILTER (WHERE is_entry_ended AND outcome = 'interrupted')
        / nullif(count(*) FILTER (WHERE is_entry_ended), 0), 1
    ) AS interrupted_pct,
    round(
        100.0 * count(*) FILTER (WHERE is_entry_ended AND outcome = 'dropped')
        / nullif(count(*) FILTER (WHERE is_entry_ended), 0), 1
    ) AS dropped_pct,
    round(avg(entry_seconds), 1) AS entry_avg_seconds,
    round(median(entry_seconds), 1) AS entry_median_seconds,
    round(percentile_cont(0.9) WITHIN GROUP (ORDER BY entry_seconds), 1) AS entry_p90_seconds
FROM runs
GROUP BY company_id, day, channel, department_id
ORDER BY company_id, day, channel, department_id;
