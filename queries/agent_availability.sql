-- How long are agents available, paused and offline (disponibilidade, pausas)? By agent and day.
-- chart: bar x=agent_label y=sum(available_seconds),sum(paused_seconds) stacked
--
-- A row of fact_agent_status is an interval of one status. It is cut at the midnights of the lake's business
-- time zone, so that each second counts on its own day; a day of a change of the clock has 23 or 25 hours.
-- Intervals of one agent do not overlap, so no day has more seconds than it has.
--
-- known_seconds     covered by some status:  known = available + paused + offline + unknown. What lies
--                   before an agent's first status is in no column: nothing is known of it.
-- available_seconds online and available for chats (disponivel)
-- paused_seconds    online and not available (pausa), in pauses intervals that began on the day
-- offline_seconds   not online, whatever else the status says
-- unknown_seconds   the event did not say whether online, or available
-- available_pct     available of available and paused (aderencia): the share of the time online
-- agent_label       the name, with the id where two of the company share it, or there is none
-- first_online_local, last_online_local   begin and end of the time online within the day
--
-- The last status of an agent has no end. It ends at the lake's last event, or at $as_of: nothing is ever
-- measured against the clock of the machine. still_in_seconds is how much of the day's known time belongs
-- to such an interval: much of it on an old day is rather a lost event than a night at the desk.
--
-- $as_of TIMESTAMP = NULL  where open intervals end; NULL for the lake's last event
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $agent BIGINT = NULL  only this agent (agente)
WITH instant AS (
    SELECT coalesce($as_of, least(max(delivered_at), max(received_at))) AS as_of
    FROM events
),
intervals AS (
    SELECT
        status.company_id,
        status.agent_id,
        status.started_at,
        least(status.ended_at, instant.as_of) AS ended_at,
        status.ended_at IS NULL AS is_open,
        CASE
            WHEN status.is_online AND status.is_available THEN 'available'
            WHEN status.is_online AND NOT status.is_available THEN 'paused'
            WHEN NOT status.is_online THEN 'offline'
            ELSE 'unknown'
        END AS status
    FROM fact_agent_status AS status
    CROSS JOIN instant
    -- An interval is of the period if it reaches into it, whenever it began.
    WHERE status.started_at < instant.as_of
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
    FROM intervals
),
pieces AS (
    SELECT
        company_id,
        agent_id,
        day,
        status,
        is_open,
        started_at >= date_start(day) AS begins_here,
        greatest(started_at, date_start(day)) AS started_at,
        least(ended_at, date_start(day + 1)) AS ended_at
    FROM days
),
measured AS (
    SELECT *, CAST(date_part('epoch', ended_at - started_at) AS BIGINT) AS seconds
    FROM pieces
    WHERE started_at < ended_at
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
    measured.company_id,
    measured.day,
    measured.agent_id,
    agent.name AS agent_name,
    coalesce(agent.label, CAST(measured.agent_id AS VARCHAR)) AS agent_label,
    sum(seconds) AS known_seconds,
    coalesce(sum(seconds) FILTER (WHERE status = 'available'), 0) AS available_seconds,
    coalesce(sum(seconds) FILTER (WHERE status = 'paused'), 0) AS paused_seconds,
    coalesce(sum(seconds) FILTER (WHERE status = 'offline'), 0) AS offline_seconds,
    coalesce(sum(seconds) FILTER (WHERE status = 'unknown'), 0) AS unknown_seconds,
    coalesce(sum(seconds) FILTER (WHERE is_open), 0) AS still_in_seconds,
    count(*) FILTER (WHERE status = 'paused' AND begins_here) AS pauses,
    round(
        100.0 * coalesce(sum(seconds) FILTER (WHERE status = 'available'), 0)
        / nullif(sum(seconds) FILTER (WHERE status IN ('available', 'paused')), 0), 1
    ) AS available_pct,
    local_time(min(started_at) FILTER (WHERE status IN ('available', 'paused'))) AS first_online_local,
    local_time(max(ended_at) FILTER (WHERE status IN ('available', 'paused'))) AS last_online_local
FROM measured
LEFT JOIN agents AS agent
    ON agent.agent_id = measured.agent_id
    AND agent.company_id IS NOT DISTINCT FROM measured.company_id
GROUP BY measured.company_id, measured.day, measured.agent_id, agent.name, agent.label
ORDER BY measured.company_id, measured.day, measured.agent_id;
