-- How long do chats take in the hands of agents (TMA)? By agent, channel and closing reason.
-- chart: bar x=agent_label y=mean(handle_avg_seconds,known)
--
-- What is averaged is an agent's part of a session (atendimento): the sum of that agent's segments in it. A
-- chat that comes back to the same agent is one part, not two short ones; a chat of two agents is a part
-- of each, so parts, not sessions, add up over agents.
--
-- parts             all:  parts = known + still_open
-- known             parts whose every segment has ended; the averages are of these
-- bounded           of them, those with a segment whose end is only the latest it can have been: they are
--                   in the averages, which are so much too long at most
-- still_open        parts with a segment that has not ended: in no average, however long already
-- TMA               handle_avg_seconds, with median and p90 (nine in ten took at most about so long: interpolated
--                   between the two nearest)
-- handle_total_seconds  of known; chats run side by side, so it is no working time
-- agent_label       the name, with the id where two of the company share it, or there is none
--
-- tabulation (tabulacao) is the reason the session was closed with; NULL for open sessions and those closed
-- without. The period is that of the session's start, in the lake's business time zone; channel and
-- department are the session's last known ones. Averages cannot be averaged again: to see all agents,
-- channels or reasons as one, take their column out of the SELECT, GROUP BY and ORDER BY.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH parts AS (
    SELECT
        chat.company_id,
        segment.agent_id,
        chat.channel,
        chat.tabulation_name,
        -- One open segment makes the part unknown; a plain sum would pass it over.
        CASE
            WHEN count(*) = count(segment.handle_seconds) THEN sum(segment.handle_seconds)
        END AS handle_seconds,
        bool_or(segment.ended_bounded) AS is_bounded
    FROM fact_agent_segments AS segment
    JOIN fact_chats AS chat
        ON chat.chat_id = segment.chat_id
        AND chat.session_no = segment.session_no
        AND chat.company_id IS NOT DISTINCT FROM segment.company_id
    WHERE ($from IS NULL OR chat.started_date >= $from)
        AND ($to IS NULL OR chat.started_date <= $to)
        AND ($company IS NULL OR chat.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
    GROUP BY
        chat.company_id, chat.chat_id, chat.session_no, segment.agent_id, chat.channel, chat.tabulation_name
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
    part.company_id,
    part.agent_id,
    agent.name AS agent_name,
    coalesce(agent.label, CAST(part.agent_id AS VARCHAR)) AS agent_label,
    part.channel,
    part.tabulation_name,
    count(*) AS parts,
    count(part.handle_seconds) AS known,
    count(part.handle_seconds) FILTER (WHERE part.is_bounded) AS bounded,
    count(*) FILTER (WHERE part.handle_seconds IS NULL) AS still_open,
    round(avg(part.handle_seconds), 1) AS handle_avg_seconds,
    round(median(part.handle_seconds), 1) AS handle_median_seconds,
    round(percentile_cont(0.9) WITHIN GROUP (ORDER BY part.handle_seconds), 1) AS handle_p90_seconds,
    sum(part.handle_seconds) AS handle_total_seconds
FROM parts AS part
LEFT JOIN agents AS agent
    ON agent.agent_id = part.agent_id
    AND agent.company_id IS NOT DISTINCT FROM part.company_id
GROUP BY part.company_id, part.agent_id, agent.name, agent.label, part.channel, part.tabulation_name
ORDER BY part.company_id, part.agent_id, part.channel, part.tabulation_name;
