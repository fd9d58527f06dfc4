-- How often are targets (metas) missed, and by how much? By target, channel and department.
-- chart: bar x=target y=sum(met),sum(late),sum(never) stacked
--
-- Counts sessions (atendimentos) in which a person was due or took part: with a wait in the queue, a turn of
-- the contact that an agent had to answer (see reply_times), an agent, or a message of one. A bot's own
-- sessions have no such target, nor has one in which no subscribed event can show a person.
--
-- sessions = met + late + never + excluded + unknown + still_open, for each target
--
-- target            first_wait      an agent takes the chat out of the queue (TME)
--                   first_response  an agent writes to the contact (TPR)
--                   resolution      the session is closed, from its start (tempo de resolucao)
-- met, late         it took at most target_seconds, or longer
-- never             it did not happen, and the session is closed: abandoned, or closed unanswered
-- excluded          short_abandoned (setting short_abandon_seconds); where nobody could wait: sessions
--                   without a queue for first_wait; for first_response those in which the company wrote
--                   first, and those with neither a wait nor a turn
-- unknown           it happened, but no event shows after how long; or none could show whether it did, as
--                   where the messages of agents are not subscribed
-- still_open        it has not happened yet: late already or not, the next look will tell
--
-- first_response counts as the query of that name does, which tells the cases apart.
-- first_wait is judged by how the first wait of the session ended, moves to other departments' queues passed
-- over, whoever was in the chat before or after it.
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
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH first_waits AS (
    SELECT company_id, chat_id, session_no, first_value(exit ORDER BY episode_no) AS exit
    FROM fact_queue_waits
    -- Nobody waits before the session starts.
    WHERE ($from IS NULL OR entered_date >= $from)
        AND ($company IS NULL OR company_id = $company)
        AND exit IS DISTINCT FROM 'department_changed'
    GROUP BY company_id, chat_id, session_no
),
with_turns AS (
    SELECT DISTINCT company_id, chat_id, session_no
    FROM fact_replies
    -- Nor does a turn begin before.
    WHERE ($from IS NULL OR waiting_date >= $from)
        AND ($company IS NULL OR company_id = $company)
),
due AS (
    SELECT
        chat.*,
        department.name AS department_name,
        chat.queue_episodes > 0 OR with_turns.chat_id IS NOT NULL AS is_due
    FROM fact_chats AS chat
    LEFT JOIN with_turns
        ON with_turns.chat_id = chat.chat_id
        AND with_turns.session_no = chat.session_no
        AND with_turns.company_id IS NOT DISTINCT FROM chat.company_id
    LEFT JOIN dim_departments AS department
        ON department.department_id = chat.department_id
        AND department.company_id IS NOT DISTINCT FROM chat.company_id
    WHERE (
            chat.queue_episodes > 0
            OR with_turns.chat_id IS NOT NULL
            OR chat.agent_segments > 0
            OR chat.first_response_at IS NOT NULL
        )
        AND ($from IS NULL OR chat.started_date >= $from)
        AND ($to IS NULL OR chat.started_date <= $to)
        AND ($company IS NULL OR chat.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
),
judged AS (
    SELECT
        'first_wait' AS target,
        $wait_seconds AS target_seconds,
        due.company_id,
        due.channel,
        due.department_id,
        due.department_name,
        due.first_wait_seconds AS took_seconds,
        CASE
            WHEN due.queue_episodes = 0 OR first_wait.exit = 'short_abandoned' THEN 'excluded'
            WHEN first_wait.exit = 'abandoned' THEN 'never'
            WHEN first_wait.exit = 'open' THEN 'still_open'
            WHEN first_wait.exit = 'answered' AND due.first_wait_seconds IS NOT NULL THEN 'happened'
            ELSE 'unknown'
        END AS judgement
    FROM due
    LEFT JOIN first_waits AS first_wait
        ON first_wait.chat_id = due.chat_id
        AND first_wait.session_no = due.session_no
        AND first_wait.company_id IS NOT DISTINCT FROM due.company_id
    UNION ALL
    SELECT
        'first_response',
        $response_seconds,
        company_id,
        channel,
        department_id,
        department_name,
        first_response_seconds,
        CASE
            WHEN first_response_seconds IS NOT NULL THEN 'happened'
            WHEN first_response_at IS NOT NULL AND direction = 'outbound' THEN 'excluded'
            WHEN first_response_at IS NOT NULL THEN 'unknown'
            WHEN NOT is_due THEN 'excluded'
            WHEN agent_messages IS NULL THEN 'unknown'
            WHEN closed_at IS NULL THEN 'still_open'
            WHEN outcome = 'short_abandoned' THEN 'excluded'
            ELSE 'never'
        END
    FROM due
    UNION ALL
    SELECT
        'resolution',
        $resolution_seconds,
        company_id,
        channel,
        department_id,
        department_name,
        duration_seconds,
        CASE
            WHEN closed_at IS NULL THEN 'still_open'
            WHEN outcome = 'short_abandoned' THEN 'excluded'
            WHEN duration_seconds IS NULL THEN 'unknown'
            ELSE 'happened'
        END
    FROM due
),
counted AS (
    SELECT
        company_id,
        target,
        target_seconds,
        channel,
        department_id,
        department_name,
        count(*) AS sessions,
        count(*) FILTER (WHERE judgement = 'happened' AND took_seconds <= target_seconds) AS met,
        count(*) FILTER (WHERE judgement = 'happened' AND took_seconds > target_seconds) AS late,
        count(*) FILTER (WHERE judgement = 'never') AS never,
        count(*) FILTER (WHERE judgement = 'excluded') AS excluded,
        count(*) FILTER (WHERE judgement = 'unknown') AS unknown,
        count(*) FILTER (WHERE judgement = 'still_open') AS still_open,
        max(took_seconds) FILTER (WHERE judgement = 'happened') AS worst_seconds
    FROM judged
    GROUP BY company_id, target, target_seconds, channel, department_id, department_name
)
SELECT
    company_id,
    target,
    target_seconds,
    channel,
    department_id,
    department_name,
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
ORDER BY company_id, target, channel, department_id;
