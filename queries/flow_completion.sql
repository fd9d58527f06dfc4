-- Which flows (fluxos) are gone through to their end, and where are contacts lost? By flow and role.
-- chart: bar x=flow_id y=sum(finished),sum(interrupted),sum(dropped),sum(open) stacked
--
-- A row of fact_flow_runs is one run of a flow; a session may have several, also of one flow.
--
-- role              entry: before any queue or agent; exit: the last of a closed session, such as a survey
--                   (pesquisa de satisfacao); mid: any other
-- runs              all:  runs = finished + interrupted + dropped + open + outcome_unknown
-- finished          went to the flow's end, whatever came after
-- interrupted       a queue or an agent came before the end
-- dropped           the session closed before the end (abandono no fluxo)
-- open              not finished and the session not closed: no outcome yet
-- outcome_unknown   ended somehow: finishedAutomationFlow is not subscribed
-- finished_pct      finished of finished, interrupted and dropped
-- sessions          distinct sessions (atendimentos) with such a run
-- answered          runs whose contact told the flow something that it kept: a variable that is neither null
--                   nor empty
-- duration_*        from start to end of finished runs, with p90 (nine in ten took at most about so long:
--                   interpolated between the two nearest)
-- duration_unknown  finished, but start and end came in one delivery: in no average
--
-- What a finished entry run led to, containment or hand-off, is in flow_outcomes. The period is that of the
-- run's start, in the lake's business time zone; channel and department are the session's last known ones.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH runs AS (
    SELECT
        run.*,
        CASE
            WHEN run.finished_at IS NOT NULL THEN 'finished'
            ELSE run.outcome
        END AS ended
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
    flow_id,
    role,
    count(*) AS runs,
    count(*) FILTER (WHERE ended = 'finished') AS finished,
    count(*) FILTER (WHERE ended = 'interrupted') AS interrupted,
    count(*) FILTER (WHERE ended = 'dropped') AS dropped,
    count(*) FILTER (WHERE ended = 'open') AS open,
    count(*) FILTER (WHERE ended IS NULL) AS outcome_unknown,
    round(
        100.0 * count(*) FILTER (WHERE ended = 'finished')
        / nullif(count(*) FILTER (WHERE ended <> 'open'), 0), 1
    ) AS finished_pct,
    count(DISTINCT concat_ws('/', chat_id, session_no)) AS sessions,
    -- What is left without variables that are null or empty, and without what stands between them.
    count(
        nullif(regexp_replace(answers, '"(?:[^"\\]|\\.)*":(?:null|"\s*")|[{},\s]', '', 'g'), '')
    ) AS answered,
    round(avg(duration_seconds), 1) AS duration_avg_seconds,
    round(median(duration_seconds), 1) AS duration_median_seconds,
    round(percentile_cont(0.9) WITHIN GROUP (ORDER BY duration_seconds), 1) AS duration_p90_seconds,
    count(*) FILTER (WHERE ended = 'finished' AND duration_seconds IS NULL) AS duration_unknown
FROM runs
GROUP BY company_id, flow_id, role
ORDER BY company_id, flow_id, role;
