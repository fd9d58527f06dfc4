-- How soon does an agent write first (tempo de primeira resposta, TPR)? The distribution over sessions.
-- chart: bar x=up_to_seconds y=sum(sessions) by=response stacked
--
-- Every session (atendimento) is in one row, so the rows add up to all sessions of the period.
--
-- response          what became of it, in these words:
--
-- answered after a known time, one row for each stretch of it:
--     over_seconds, up_to_seconds   the stretch, the upper bound included; the first holds 0, too
--     pct                           of the sessions answered after a known time
--     cumulative_pct                of the same, those answered within up_to_seconds
-- and without a time, pct NULL:
--     time unknown     answered, but no event shows when the waiting for it began
--     outbound         the company wrote first (ativo): nobody was waiting for it
--     not known        the messages of agents are not subscribed: it cannot be told whether one wrote
--     not yet          open and unanswered, a person due
--     never            closed unanswered, though a person was due: abandoned ones are here
--     short_abandoned  likewise, but left within seconds (setting short_abandon_seconds)
--     nobody due       a bot alone, nothing but a start, or a call: an agent came, and the contact wrote nothing
--
-- A person is due in a session with a wait in the queue, or with a turn of the contact that an agent had to
-- answer (see reply_times). It is so in targets_missed and unanswered_now, too. Of sessions in which an agent
-- wrote, no more is asked.
--
-- The time is first_response_seconds of fact_chats: from the queue entry, else the bot's hand-off, else the
-- contact's first message, to the first message of an agent to the contact, nights and weekends included.
-- The period is that of the session's start, in the lake's business time zone; channel and department are
-- the session's last known ones.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH stretches AS (
    SELECT over_seconds, up_to_seconds
    FROM (
        VALUES
            (-1, 15), (15, 30), (30, 60), (60, 120), (120, 300), (300, 600),
            (600, 1800), (1800, 3600), (3600, 14400), (14400, 86400), (86400, NULL)
    ) AS stretch (over_seconds, up_to_seconds)
),
with_turns AS (
    SELECT DISTINCT company_id, chat_id, session_no
    FROM fact_replies
    -- No turn begins before its session does.
    WHERE ($from IS NULL OR waiting_date >= $from)
        AND ($company IS NULL OR company_id = $company)
),
sessions AS (
    SELECT
        chat.first_response_seconds,
        CASE
            WHEN chat.first_response_seconds IS NOT NULL THEN 'answered'
            WHEN chat.first_response_at IS NOT NULL AND chat.direction = 'outbound' THEN 'outbound'
            WHEN chat.first_response_at IS NOT NULL THEN 'time unknown'
            -- Where no event that shows agents is subscribed, there is no count of them.
            WHEN chat.queue_episodes = 0 AND with_turns.chat_id IS NULL AND chat.agent_segments IS NOT NULL
                THEN 'nobody due'
            -- A count of 0 was counted; where nothing brings agents' messages there is none.
            WHEN chat.agent_messages IS NULL THEN 'not known'
            WHEN chat.closed_at IS NULL THEN 'not yet'
            WHEN chat.outcome = 'short_abandoned' THEN 'short_abandoned'
            ELSE 'never'
        END AS response
    FROM fact_chats AS chat
    LEFT JOIN with_turns
        ON with_turns.chat_id = chat.chat_id
        AND with_turns.session_no = chat.session_no
        AND with_turns.company_id IS NOT DISTINCT FROM chat.company_id
    WHERE ($from IS NULL OR chat.started_date >= $from)
        AND ($to IS NULL OR chat.started_date <= $to)
        AND ($company IS NULL OR chat.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
),
counted AS (
    SELECT session.response, stretch.over_seconds, stretch.up_to_seconds, count(*) AS sessions
    FROM sessions AS session
    LEFT JOIN stretches AS stretch
        ON session.first_response_seconds > stretch.over_seconds
        AND (stretch.up_to_seconds IS NULL OR session.first_response_seconds <= stretch.up_to_seconds)
    GROUP BY session.response, stretch.over_seconds, stretch.up_to_seconds
)
SELECT
    response,
    CASE WHEN over_seconds < 0 THEN 0 ELSE over_seconds END AS over_seconds,
    up_to_seconds,
    sessions,
    CASE
        WHEN response = 'answered'
            THEN round(100.0 * sessions / sum(sessions) OVER (PARTITION BY response), 1)
    END AS pct,
    CASE
        WHEN response = 'answered'
            THEN round(
                100.0 * sum(sessions) OVER (PARTITION BY response ORDER BY over_seconds)
                / sum(sessions) OVER (PARTITION BY response), 1
            )
    END AS cumulative_pct
FROM counted
ORDER BY response, over_seconds;
