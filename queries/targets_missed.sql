-- How often are targets (metas) missed, and by how much? By target, channel and department.
-- chart: bar x=target y=sum(met),sum(late),sum(never) stacked
--
-- Counts sessions (atendimentos) in which a person was due: with a stay in the queue or an agent. A bot's
-- own sessions have no such target.
--
-- sessions = met + late + never + excluded + unknown + still_open, for each target
--
-- target            first_wait      an agent takes the chat out of the queue (TME)
--                   first_response  an agent writes to the contact (TPR)
--                   resolution      the session is closed, from its start (tempo de resolucao)
-- met, late         it took at most target_seconds, or longer
-- never             it did not happen, and the session is closed: abandoned, or closed unanswered
-- excluded          short_abandoned (setting short_abandon_seconds); where nobody could wait: sessions
--                   without a queue for first_wait, begun by the company for first_response
-- unknown           it happened, but no event shows after how long
-- still_open        it has not happened yet: late already or not, the next look will tell
-- missed_pct        late and never, of those and met
-- worst_seconds     the longest that was met or late
--
-- Time runs by the clock on the wall, nights and weekends included. The period is that of the session's
-- start, in the lake's business time zone; channel and department are the session's last known ones.
-- Percentages cannot be averaged over rows: take the column out of the SELECT, GROUP BY and ORDER BY.
--
-- $wait_seconds BIGINT = 60  target of first_wait
-- $response_seconds BIGINT = 120  target of first_response
-- $resolution_seconds BIGINT = 86400  target of resolution
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH due AS (
    SELECT *
    FROM fact_chats
    WHERE (queue_episodes > 0 OR agent_segments > 0)
        AND ($from IS NULL OR started_date >= $from)
        AND ($to IS NULL OR started_date <= $to)
        AND ($channel IS NULL OR channel = $channel)
        AND ($department IS NULL OR department_id = $department)
),
judged AS (
    SELECT
        'first_wait' AS target,
        $wait_seconds AS target_seconds,
        channel,
        department_id,
        CASE WHEN agent_segments > 0 THEN first_wait_seconds END AS took_seconds,
        CASE
            WHEN queue_episodes = 0 OR outcome = 'short_abandoned' THEN 'excluded'
            WHEN agent_segments > 0 AND first_wait_seconds IS NOT NULL THEN 'happened'
            WHEN agent_segments > 0 THEN 'unknown'
            WHEN outcome = 'open' THEN 'still_open'
            ELSE 'never'
        END AS judgement
    FROM due
    UNION ALL
    SELECT
        'first_response',
        $response_seconds,
        channel,
        department_id,
        first_response_seconds,
        CASE
            WHEN first_response_seconds IS NOT NULL THEN 'happened'
            WHEN direction = 'outbound' OR outcome = 'short_abandoned' THEN 'excluded'
            WHEN first_response_at IS NOT NULL THEN 'unknown'
            WHEN outcome = 'open' THEN 'still_open'
            ELSE 'never'
        END
    FROM due
    UNION ALL
    SELECT
        'resolution',
        $resolution_seconds,
        channel,
        department_id,
        CASE WHEN outcome NOT IN ('open', 'short_abandoned') THEN duration_seconds END,
        CASE
            WHEN outcome = 'open' THEN 'still_open'
            WHEN outcome = 'short_abandoned' THEN 'excluded'
            WHEN duration_seconds IS NULL THEN 'unknown'
            ELSE 'happened'
        END
    FROM due
),
counted AS (
    SELECT
        target,
        target_seconds,
        channel,
        department_id,
        count(*) AS sessions,
        count(*) FILTER (WHERE judgement = 'happened' AND took_seconds <= target_seconds) AS met,
        count(*) FILTER (WHERE judgement = 'happened' AND took_seconds > target_seconds) AS late,
        count(*) FILTER (WHERE judgement = 'never') AS never,
        count(*) FILTER (WHERE judgement = 'excluded') AS excluded,
        count(*) FILTER (WHERE judgement = 'unknown') AS unknown,
        count(*) FILTER (WHERE judgement = 'still_open') AS still_open,
        max(took_seconds) FILTER (WHERE judgement = 'happened') AS worst_seconds
    FROM judged
    GROUP BY target, target_seconds, channel, department_id
)
SELECT
    target,
    target_seconds,
    channel,
    department_id,
    sessions,
    met,
    late,
    never,
    excluded,
    unknown,
    still_open,
    round(100.0 * (late + never) / nullif(met + late + never, 0), 1) AS missed_pct,
    worst_seconds
FROM counted
ORDER BY target, channel, department_id;
