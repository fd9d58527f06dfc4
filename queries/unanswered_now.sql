-- Which customers are waiting for a reply at a given instant? A work list, the longest waiting first.
-- chart: histogram x=waiting_seconds
--
-- One row per session (atendimento) that was not closed at the instant and held a turn of the contact that
-- an agent had to answer and had not answered then. Customers with the bot are not here: no person is due.
--
-- waiting_since_local  begin of the turn: its first message, or the instant from which a person was due
-- waiting_seconds      from then to the instant, nights and weekends included
-- is_first             whether nobody has replied in the session before
-- place                agent, or queue (fila): what the facts show for the instant; NULL where they show neither,
--                      such as with an agent whom no event names
-- agent_id             who was in the chat then; NULL in the queue, or if not known
--
-- Without $as_of the instant is that of the lake's last event, which is as far as the lake knows: the reply
-- may be on its way. A session whose close was never delivered stays here; $from leaves the old ones out.
-- channel and department are the session's last known ones. Local times are those of the lake's business
-- time zone.
--
-- $as_of TIMESTAMP = NULL  the instant; NULL for the lake's last event
-- $from DATE = NULL  first day on which the turn began
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH instant AS (
    SELECT coalesce($as_of, least(max(delivered_at), max(received_at))) AS as_of
    FROM events
),
turns AS (
    SELECT
        reply.company_id,
        reply.chat_id,
        reply.session_no,
        chat.channel,
        chat.department_id,
        chat.contact_id,
        chat.contact_name,
        reply.is_first,
        reply.waiting_since,
        instant.as_of
    FROM fact_replies AS reply
    CROSS JOIN instant
    JOIN fact_chats AS chat
        ON chat.chat_id = reply.chat_id
        AND chat.session_no = reply.session_no
        AND chat.company_id IS NOT DISTINCT FROM reply.company_id
    WHERE reply.waiting_since <= instant.as_of
        AND (reply.replied_at IS NULL OR reply.replied_at > instant.as_of)
        AND (chat.closed_at IS NULL OR chat.closed_at > instant.as_of)
        AND ($from IS NULL OR reply.waiting_date >= $from)
        AND ($to IS NULL OR reply.waiting_date <= $to)
        AND ($company IS NULL OR reply.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
)
SELECT
    turn.company_id,
    turn.chat_id,
    turn.session_no,
    turn.contact_id,
    turn.contact_name,
    turn.channel,
    turn.department_id,
    CASE
        WHEN segment.chat_id IS NOT NULL THEN 'agent'
        WHEN stay.chat_id IS NOT NULL THEN 'queue'
    END AS place,
    segment.agent_id,
    turn.is_first,
    local_time(turn.waiting_since) AS waiting_since_local,
    CAST(date_part('epoch', turn.as_of - turn.waiting_since) AS BIGINT) AS waiting_seconds
FROM turns AS turn
-- Segments of a session do not overlap.
LEFT JOIN fact_agent_segments AS segment
    ON segment.chat_id = turn.chat_id
    AND segment.session_no = turn.session_no
    AND segment.started_at <= turn.as_of
    AND (segment.ended_at IS NULL OR segment.ended_at > turn.as_of)
    AND segment.company_id IS NOT DISTINCT FROM turn.company_id
-- Nor do stays overlap whose beginning and end are known: at most one holds the instant.
LEFT JOIN fact_queue_waits AS stay
    ON stay.chat_id = turn.chat_id
    AND stay.session_no = turn.session_no
    AND stay.entered_at <= turn.as_of
    AND (stay.exit = 'open' OR stay.left_at > turn.as_of)
    AND stay.company_id IS NOT DISTINCT FROM turn.company_id
ORDER BY waiting_seconds DESC, turn.company_id, turn.chat_id, turn.session_no;
