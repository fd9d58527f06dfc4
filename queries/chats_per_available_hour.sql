-- How many chats does an agent take per available hour (produtividade)? By agent and day.
-- chart: heatmap x=day y=agent_label value=mean(chats_per_available_hour,available_hours)
--
-- chats             chats the agent took on the day: distinct sessions (atendimentos), however many times
--                   the session came back to the agent. Of them,
-- taken_available   while online and available (disponivel),
-- taken_paused      while paused or offline,
-- taken_unknown     while nothing was known of the agent's status
-- available_hours   hours online and available, on the day; NULL if no status of the day is known
-- still_in_hours    of available_hours, those of a status that has not ended: much of it on an old day is
--                   rather a lost event than a night at the desk
-- agent_label       the name, with the id where two of the company share it, or there is none
-- chats_per_available_hour   taken_available / available_hours: chats taken in a pause have no hours to be
--                   divided by, and would only raise the rate. NULL without an available minute.
--
-- A session is taken at the begin of its first segment of the day with the agent. Intervals of the status
-- are cut at the midnights of the lake's business time zone; the last one, which has no end, ends at the
-- lake's last event, or at $as_of. Rates cannot be averaged: to see a team or a month, add chats and hours
-- first. $channel and $department leave only their chats, over the same hours.
--
-- $as_of TIMESTAMP = NULL  where open intervals end, and what comes later is left out; NULL for the last event
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only chats of this channel (canal)
-- $department BIGINT = NULL  only chats of the department (departamento) of this id
-- $agent BIGINT = NULL  only this agent (agente)
WITH instant AS (
    SELECT coalesce($as_of, least(max(delivered_at), max(received_at))) AS as_of
    FROM events
),
statuses AS (
    SELECT
        status.company_id,
        status.agent_id,
        status.started_at,
        least(status.ended_at, (SELECT as_of FROM instant)) AS ended_at,
        status.ended_at IS NULL OR status.ended_at > (SELECT as_of FROM instant) AS is_open,
        status.ended_at IS NULL AS is_still_in,
        status.is_online AND status.is_available AS is_available
    FROM fact_agent_status AS status
    WHERE status.started_at < (SELECT as_of FROM instant)
        AND ($from IS NULL OR status.ended_at IS NULL OR status.ended_at > date_start($from))
        AND ($to IS NULL OR status.started_date <= $to)
        AND ($company IS NULL OR status.company_id = $company)
        AND ($agent IS NULL OR status.agent_id = $agent)
),
days AS (
    SELECT
        *,
        unnest(generate_series(
            greatest(local_date(started_at), $from), least(local_date(ended_at), $to), INTERVAL '1 day'
        )) AS day
    FROM statuses
),
pieces AS (
    SELECT
        company_id,
        agent_id,
        day,
        is_open,
        is_still_in,
        is_available,
        greatest(started_at, date_start(day)) AS started_at,
        least(ended_at, date_start(day + 1)) AS ended_at
    FROM days
),
hours AS (
    SELECT
        company_id,
        agent_id,
        day,
        CASE
            WHEN count(is_available) > 0
                THEN coalesce(sum(seconds) FILTER (WHERE is_available), 0) / 3600
        END AS available_hours,
        CASE
            WHEN count(is_available) > 0
                THEN coalesce(sum(seconds) FILTER (WHERE is_available AND is_still_in), 0) / 3600
        END AS still_in_hours
    FROM (
        SELECT *, date_part('epoch', ended_at - started_at) AS seconds
        FROM pieces
        WHERE started_at < ended_at
    )
    GROUP BY company_id, agent_id, day
),
taken AS (
    SELECT
        segment.company_id,
        segment.agent_id,
        segment.started_date AS day,
        min(segment.started_at) AS taken_at
    FROM fact_agent_segments AS segment
    WHERE segment.agent_id IS NOT NULL
        AND segment.started_at <= (SELECT as_of FROM instant)
        AND ($from IS NULL OR segment.started_date >= $from)
        AND ($to IS NULL OR segment.started_date <= $to)
        AND ($company IS NULL OR segment.company_id = $company)
        AND ($channel IS NULL OR segment.channel = $channel)
        AND ($department IS NULL OR segment.department_id = $department)
        AND ($agent IS NULL OR segment.agent_id = $agent)
    GROUP BY segment.company_id, segment.agent_id, segment.started_date, segment.chat_id, segment.session_no
),
chats AS (
    SELECT
        taken.company_id,
        taken.agent_id,
        taken.day,
        count(*) AS chats,
        count(*) FILTER (WHERE status.is_available) AS taken_available,
        count(*) FILTER (WHERE NOT status.is_available) AS taken_paused,
        count(*) FILTER (WHERE status.is_available IS NULL) AS taken_unknown
    FROM taken
    -- Statuses of an agent do not overlap, so at most one holds the instant. Those cut by days are found by it.
    LEFT JOIN pieces AS status
        ON status.agent_id = taken.agent_id
        AND status.day = taken.day
        AND status.started_at <= taken.taken_at
        -- A status that goes on holds the instant at which the lake ends, too.
        AND (status.ended_at > taken.taken_at OR (status.is_open AND status.ended_at = taken.taken_at))
        AND status.company_id IS NOT DISTINCT FROM taken.company_id
    GROUP BY taken.company_id, taken.agent_id, taken.day
),
-- Days with chats and no known hours count, as do days with hours and no chats.
agent_days AS (
    SELECT
        company_id,
        agent_id,
        day,
        sum(chats) AS chats,
        sum(taken_available) AS taken_available,
        sum(taken_paused) AS taken_paused,
        sum(taken_unknown) AS taken_unknown,
        max(available_hours) AS available_hours,
        max(still_in_hours) AS still_in_hours
    FROM (
        SELECT
            company_id,
            agent_id,
            day,
            chats,
            taken_available,
            taken_paused,
            taken_unknown,
            NULL AS available_hours,
            NULL AS still_in_hours
        FROM chats
        UNION ALL
        SELECT company_id, agent_id, day, 0, 0, 0, 0, available_hours, still_in_hours
        FROM hours
    )
    GROUP BY company_id, agent_id, day
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
    agent_day.company_id,
    agent_day.day,
    agent_day.agent_id,
    agent.name AS agent_name,
    coalesce(agent.label, CAST(agent_day.agent_id AS VARCHAR)) AS agent_label,
    agent_day.chats,
    agent_day.taken_available,
    agent_day.taken_paused,
    agent_day.taken_unknown,
    round(agent_day.available_hours, 2) AS available_hours,
    round(agent_day.still_in_hours, 2) AS still_in_hours,
    round(agent_day.taken_available / nullif(agent_day.available_hours, 0), 2) AS chats_per_available_hour
FROM agent_days AS agent_day
LEFT JOIN agents AS agent
    ON agent.agent_id = agent_day.agent_id
    AND agent.company_id IS NOT DISTINCT FROM agent_day.company_id
ORDER BY agent_day.company_id, agent_day.day, agent_day.agent_id;
