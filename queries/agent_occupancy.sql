-- How many chats does an agent hold at a time, and how much time is idle (ociosidade)? By agent and day.
-- chart: bar x=agent_label y=sum(occupied_seconds),sum(idle_seconds),sum(busy_not_available_seconds) stacked
--
-- Every second of an agent's day is looked at once: how many chats were in the agent's hands, and whether
-- the agent was online and available. Chats side by side are not added up where time is measured, so no
-- share exceeds 100.
--
-- chat_seconds      the chats' own time: two chats for a minute are 120. Of them,
--                   open_seconds of chats that have not ended, and bounded_seconds of those whose end is
--                   only the latest it can have been: where these weigh, the rest is not to be trusted
-- stale_open        chats that nobody closed and nobody writes in: without an event for $stale_hours. They
--                   fill the agent's time until their last event, and are counted on the day of it
-- busy_seconds      with at least one chat: two chats for a minute are 60
-- concurrency_avg   chat_seconds / busy_seconds (simultaneidade), while there was a chat; most_chats at once
-- available_seconds online and available, whether or not with a chat
-- still_in_seconds  of available_seconds, those of a status that has not ended: much of it on an old day is
--                   rather a lost event than a night at the desk
-- occupied_seconds  available and with at least one chat; idle_seconds: available and with none (ociosidade)
-- occupancy_pct     occupied of available (ocupacao)
-- busy_not_available_seconds  with a chat while paused, offline, or of a status not known: in no share
--
-- agent_label is the name, with the id where two of the company share it, or there is none.
-- The columns of availability are NULL on a day on which nothing is known of the agent's status. Chats and
-- statuses without an end end at the lake's last event, or at $as_of: nothing is ever measured against the
-- clock of the machine. All are cut at the midnights of the lake's business time zone, which is how
-- a chat that lasts for days counts on each. Of a $channel or $department only the chats of these are
-- seen: the agent may be busy with others.
--
-- $as_of TIMESTAMP = NULL  where open intervals end; NULL for the lake's last event
-- $stale_hours BIGINT = 24  without an event for longer, an open chat fills no time any more
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
segments AS (
    SELECT
        segment.*,
        greatest(segment.started_at, chat.last_event_at) AS alive_until,
        segment.ended_at IS NULL
        AND date_part(
            'epoch', (SELECT as_of FROM instant) - greatest(segment.started_at, chat.last_event_at)
        ) > 3600 * $stale_hours AS is_stale
    FROM fact_agent_segments AS segment
    -- Only what is open may be stale.
    LEFT JOIN (SELECT * FROM fact_chats WHERE closed_at IS NULL) AS chat
        ON chat.chat_id = segment.chat_id
        AND chat.session_no = segment.session_no
        AND chat.company_id IS NOT DISTINCT FROM segment.company_id
),
intervals AS (
    SELECT
        segment.company_id,
        segment.agent_id,
        segment.started_at,
        least(
            segment.ended_at, CASE WHEN segment.is_stale THEN segment.alive_until END, (SELECT as_of FROM instant)
        ) AS ended_at,
        1 AS chats,
        CASE WHEN segment.ended_at IS NULL THEN 1 ELSE 0 END AS open_chats,
        CASE WHEN segment.is_stale THEN 1 ELSE 0 END AS stale_chats,
        CASE WHEN segment.ended_bounded THEN 1 ELSE 0 END AS bounded_chats,
        0 AS statuses,
        0 AS available,
        0 AS open_available
    FROM segments AS segment
    WHERE segment.agent_id IS NOT NULL
        AND segment.started_at < (SELECT as_of FROM instant)
        AND ($from IS NULL OR segment.ended_at IS NULL OR segment.ended_at > date_start($from))
        AND ($to IS NULL OR segment.started_date <= $to)
        AND ($company IS NULL OR segment.company_id = $company)
        AND ($channel IS NULL OR segment.channel = $channel)
        AND ($department IS NULL OR segment.department_id = $department)
        AND ($agent IS NULL OR segment.agent_id = $agent)
    UNION ALL
    SELECT
        status.company_id,
        status.agent_id,
        status.started_at,
        least(status.ended_at, (SELECT as_of FROM instant)),
        0,
        0,
        0,
        0,
        CASE WHEN (status.is_online AND status.is_available) IS NULL THEN 0 ELSE 1 END,
        CASE WHEN status.is_online AND status.is_available THEN 1 ELSE 0 END,
        CASE WHEN status.is_online AND status.is_available AND status.ended_at IS NULL THEN 1 ELSE 0 END
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
    FROM intervals
),
pieces AS (
    SELECT
        company_id,
        agent_id,
        day,
        greatest(started_at, date_start(day)) AS started_at,
        least(ended_at, date_start(day + 1)) AS ended_at,
        chats,
        open_chats,
        CASE WHEN day = local_date(ended_at) THEN stale_chats ELSE 0 END AS stale_chats,
        bounded_chats,
        statuses,
        available,
        open_available
    FROM days
),
-- Each piece is a step up where it starts and a step down where it ends.
steps AS (
    SELECT
        company_id,
        agent_id,
        day,
        CASE WHEN way = 1 THEN started_at ELSE ended_at END AS at,
        way * chats AS chats,
        way * open_chats AS open_chats,
        CASE WHEN way = 1 THEN stale_chats ELSE 0 END AS stale_chats,
        way * bounded_chats AS bounded_chats,
        way * statuses AS statuses,
        way * available AS available,
        way * open_available AS open_available
    -- A stale chat whose last event is the agent's entry fills no time, and is counted.
    FROM (SELECT *, unnest([1, -1]) AS way FROM pieces WHERE started_at < ended_at OR stale_chats > 0)
),
turns AS (
    SELECT
        company_id,
        agent_id,
        day,
        at,
        sum(chats) AS chats,
        sum(open_chats) AS open_chats,
        sum(stale_chats) AS stale_chats,
        sum(bounded_chats) AS bounded_chats,
        sum(statuses) AS statuses,
        sum(available) AS available,
        sum(open_available) AS open_available
    FROM steps
    GROUP BY company_id, agent_id, day, at
),
-- Between two steps nothing changes: so many chats, available or not, for so many seconds.
stretches AS (
    SELECT
        company_id,
        agent_id,
        day,
        date_part('epoch', at - date_start(day)) AS at_second,
        chats AS chats_step,
        open_chats AS open_step,
        stale_chats AS stale_step,
        bounded_chats AS bounded_step,
        statuses AS status_step,
        open_available AS open_available_step,
        sum(chats) OVER so_far AS chats,
        sum(available) OVER so_far > 0 AS is_available,
        coalesce(date_part('epoch', lead(at) OVER so_far - at), 0) AS seconds
    FROM turns
    -- Each instant is one row, so that rows do, which cost less than a range.
    WINDOW so_far AS (PARTITION BY company_id, agent_id, day ORDER BY at ROWS UNBOUNDED PRECEDING)
),
measured AS (
    SELECT
        company_id,
        agent_id,
        day,
        -- What steps up at one second of the day and down at another adds the difference.
        sum(-chats_step * at_second) AS chat_seconds,
        sum(-open_step * at_second) AS open_seconds,
        sum(-bounded_step * at_second) AS bounded_seconds,
        sum(-open_available_step * at_second) AS still_in_seconds,
        sum(stale_step) AS stale_open,
        sum(CASE WHEN chats > 0 THEN seconds ELSE 0 END) AS busy_seconds,
        max(chats) AS most_chats,
        bool_or(status_step > 0) AS is_known,
        sum(CASE WHEN is_available THEN seconds ELSE 0 END) AS available_seconds,
        sum(CASE WHEN is_available AND chats > 0 THEN seconds ELSE 0 END) AS occupied_seconds
    FROM stretches
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
    measured.company_id,
    measured.day,
    measured.agent_id,
    agent.name AS agent_name,
    coalesce(agent.label, CAST(measured.agent_id AS VARCHAR)) AS agent_label,
    CAST(chat_seconds AS BIGINT) AS chat_seconds,
    CAST(open_seconds AS BIGINT) AS open_seconds,
    CAST(bounded_seconds AS BIGINT) AS bounded_seconds,
    stale_open,
    CAST(busy_seconds AS BIGINT) AS busy_seconds,
    round(chat_seconds / nullif(busy_seconds, 0), 2) AS concurrency_avg,
    most_chats,
    CASE WHEN is_known THEN CAST(available_seconds AS BIGINT) END AS available_seconds,
    CASE WHEN is_known THEN CAST(still_in_seconds AS BIGINT) END AS still_in_seconds,
    CASE WHEN is_known THEN CAST(occupied_seconds AS BIGINT) END AS occupied_seconds,
    CASE WHEN is_known THEN CAST(available_seconds - occupied_seconds AS BIGINT) END AS idle_seconds,
    CASE WHEN is_known THEN CAST(busy_seconds - occupied_seconds AS BIGINT) END AS busy_not_available_seconds,
    CASE
        WHEN is_known THEN round(100.0 * occupied_seconds / nullif(available_seconds, 0), 1)
    END AS occupancy_pct
FROM measured
LEFT JOIN agents AS agent
    ON agent.agent_id = measured.agent_id
    AND agent.company_id IS NOT DISTINCT FROM measured.company_id
ORDER BY measured.company_id, measured.day, measured.agent_id;
