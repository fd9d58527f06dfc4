-- How soon does each agent reply (tempo medio de resposta, TMR)? By agent and channel.
-- chart: bar x=agent_label y=mean(reply_avg_seconds,replies)
--
-- A row of fact_replies is one turn of the contact that an agent had to answer: it begins at the first
-- message not yet answered and ends at the agent's next message, so five messages in a row are one turn.
--
-- turns             all turns:  turns = replies + not_replied + reply_unknown
-- replies           those an agent replied to; each counts for the agent who replied
-- first_replies     of them, those to the session's first turn
-- not_replied       turns without a reply, in the row without an agent: nobody's, or not yet
-- reply_unknown     turns of sessions whose agents' messages are not subscribed: nothing can show a reply
-- TMR               reply_avg_seconds, over replies; with median and p90 (nine in ten were at most about so
--                   long: interpolated between the two nearest)
-- reply_avg_business_seconds  the same in business hours only; NULL without the setting business_hours
-- sessions          distinct sessions (atendimentos) replied in; they cannot be added up over agents
-- agent_label       the agent's name, with the id where two of the company share it, or there is none
--
-- Where neither agentEntered nor leftQueue is subscribed, an agent's first message may be all that shows that
-- a person was due: the turn before it then begins with it, and is replied to after 0 s that nobody measured.
--
-- The period is that of the turn's begin, in the lake's business time zone. Averages are over single
-- replies and cannot be averaged again: to see all agents or channels as one, take their column out of the
-- SELECT, GROUP BY and ORDER BY. The department is that of the reply, for a turn without one the last known
-- of its session.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only turns of the department (departamento) of this id
WITH turns AS (
    SELECT
        reply.company_id,
        reply.chat_id,
        reply.session_no,
        reply.agent_id,
        chat.channel,
        reply.replied_at IS NULL AND chat.agent_messages IS NULL AS is_unknown,
        reply.is_first,
        reply.replied_at,
        reply.reply_seconds,
        reply.reply_business_seconds
    FROM fact_replies AS reply
    LEFT JOIN fact_chats AS chat
        ON chat.chat_id = reply.chat_id
        AND chat.session_no = reply.session_no
        AND chat.company_id IS NOT DISTINCT FROM reply.company_id
    WHERE ($from IS NULL OR reply.waiting_date >= $from)
        AND ($to IS NULL OR reply.waiting_date <= $to)
        AND ($company IS NULL OR reply.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR reply.department_id = $department)
),
agents AS (
    SELECT
        company_id,
        agent_id,
        name,
        CASE
            WHEN name IS NULL OR count(*) OVER (PARTITION BY company_id, name) > 1 THEN concat_ws(' ', name, agent_id)
            ELSE name
        END AS label
    FROM dim_agents
)
SELECT
    turn.company_id,
    turn.agent_id,
    agent.name AS agent_name,
    coalesce(agent.label, CAST(turn.agent_id AS VARCHAR)) AS agent_label,
    turn.channel,
    count(*) AS turns,
    count(turn.replied_at) AS replies,
    count(turn.replied_at) FILTER (WHERE turn.is_first) AS first_replies,
    count(*) FILTER (WHERE turn.replied_at IS NULL AND NOT turn.is_unknown) AS not_replied,
    count(*) FILTER (WHERE turn.is_unknown) AS reply_unknown,
    count(
        DISTINCT CASE
            WHEN turn.replied_at IS NOT NULL THEN concat_ws('/', turn.chat_id, turn.session_no)
        END
    ) AS sessions,
    round(avg(turn.reply_seconds), 1) AS reply_avg_seconds,
    round(median(turn.reply_seconds), 1) AS reply_median_seconds,
    round(percentile_cont(0.9) WITHIN GROUP (ORDER BY turn.reply_seconds), 1) AS reply_p90_seconds,
    round(avg(turn.reply_business_seconds), 1) AS reply_avg_business_seconds
FROM turns AS turn
LEFT JOIN agents AS agent
    ON agent.agent_id = turn.agent_id
    AND agent.company_id IS NOT DISTINCT FROM turn.company_id
GROUP BY turn.company_id, turn.agent_id, agent.name, agent.label, turn.channel
ORDER BY turn.company_id, turn.agent_id, turn.channel;
