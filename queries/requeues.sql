-- How often is a chat handed back to the queue, and what then? By day, channel and department.
-- chart: bar x=day y=sum(requeued)
--
-- A row of fact_agent_segments is one stretch of a session with one agent. A chat handed back twice (retorno
-- a fila) is two requeues of one session.
--
-- segments          all that began on the day; still_open are those that have not ended
-- requeued          segments that ended by a return to the queue:
--     requeued = answered_again + abandoned_again + moved_on + waiting_again + wait_unknown
-- requeued_pct      requeued of the segments that ended; at most 100, as a segment ends once
-- requeued_sessions distinct sessions (atendimentos) among them
-- abandoned_again   the customer then left the queue unanswered, however soon
-- moved_on          the wait went on in another department's queue
-- wait_unknown      no event shows the return itself, only that the chat left the queue again: the segment's
--                   end is only the latest it can have been, so it is in neither of the times below
-- before_*_seconds  time with the agent before the return
-- wait_*_seconds    time in the queue after it, until an agent took the chat again
--
-- day is the date on which the segment began, in the lake's business time zone; the department is the
-- one known when the agent took the chat. Medians cannot be averaged over rows: $by_day = false shows all days as one.
--
-- $by_day BOOLEAN = true  false for one row of the whole period instead of one a day: day is NULL then
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH segments AS (
    SELECT
        segment.company_id,
        CASE WHEN $by_day THEN segment.started_date END AS day,
        segment.channel,
        segment.department_id,
        department.name AS department_name,
        segment.chat_id,
        segment.session_no,
        segment.end_reason,
        segment.end_reason = 'requeued' AS is_requeued,
        CASE
            WHEN segment.end_reason = 'requeued' AND NOT segment.ended_bounded THEN segment.handle_seconds
        END AS before_seconds,
        CASE WHEN segment.end_reason = 'requeued' THEN wait.exit END AS exit,
        CASE WHEN wait.exit = 'answered' THEN wait.wait_seconds END AS wait_seconds
    FROM fact_agent_segments AS segment
    -- A requeue ends the segment at the instant at which it begins the wait, so at most one matches.
    LEFT JOIN fact_queue_waits AS wait
        ON wait.chat_id = segment.chat_id
        AND wait.session_no = segment.session_no
        AND wait.entered_at = segment.ended_at
        AND wait.entered_source = 'requeue_seen'
        AND wait.company_id IS NOT DISTINCT FROM segment.company_id
    LEFT JOIN dim_departments AS department
        ON department.department_id = segment.department_id
        AND department.company_id IS NOT DISTINCT FROM segment.company_id
    WHERE ($from IS NULL OR segment.started_date >= $from)
        AND ($to IS NULL OR segment.started_date <= $to)
        AND ($company IS NULL OR segment.company_id = $company)
        AND ($channel IS NULL OR segment.channel = $channel)
        AND ($department IS NULL OR segment.department_id = $department)
)
SELECT
    company_id,
    day,
    channel,
    department_id,
    department_name,
    count(*) AS segments,
    count(*) FILTER (WHERE end_reason = 'open') AS still_open,
    count(*) FILTER (WHERE is_requeued) AS requeued,
    round(
        100.0 * count(*) FILTER (WHERE is_requeued)
        / nullif(count(*) FILTER (WHERE end_reason <> 'open'), 0), 1
    ) AS requeued_pct,
    count(DISTINCT CASE WHEN is_requeued THEN concat_ws('/', chat_id, session_no) END) AS requeued_sessions,
    count(*) FILTER (WHERE exit = 'answered') AS answered_again,
    count(*) FILTER (WHERE exit IN ('abandoned', 'short_abandoned')) AS abandoned_again,
    count(*) FILTER (WHERE exit = 'department_changed') AS moved_on,
    count(*) FILTER (WHERE exit = 'open') AS waiting_again,
    count(*) FILTER (WHERE is_requeued AND exit IS NULL) AS wait_unknown,
    round(median(before_seconds), 1) AS before_median_seconds,
    round(avg(wait_seconds), 1) AS wait_avg_seconds,
    round(median(wait_seconds), 1) AS wait_median_seconds
FROM segments
GROUP BY company_id, day, channel, department_id, department_name
ORDER BY company_id, day, channel, department_id;
