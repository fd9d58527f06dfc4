-- Which customers are waiting for a reply at a given instant? A work list, the longest waiting first.
-- chart: histogram x=waiting_seconds
--
-- One row per session (atendimento) that was not closed at the instant and in which a person was due: it held a
-- turn of the contact that an agent had to answer and had not answered then (see reply_times), or a wait in
-- the queue, and no agent had written yet. Customers with the bot are not here: no person is due. Nor are
-- sessions whose agents' messages are not subscribed: nothing can show who has been answered.
--
-- waiting_since_local  begin of the turn: its first message, or the instant from which a person was due; and
--                      where no agent had written yet, of the first wait, if that is earlier. NULL, and last,
--                      where no event shows when that began
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
-- $from DATE = NULL  first day on which the waiting began
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH instant AS (
    SELECT coalesce($as_of, least(max(delivered_at), max(received_at))) AS as_of
    FROM events
),
open_chats AS (
    SELECT
        chat.company_id,
        chat.chat_id,
        chat.session_no,
        chat.channel,
        chat.department_id,
        chat.contact_id,
        chat.contact_name,
        chat.first_response_at IS NULL OR chat.first_response_at > instant.as_of AS is_without_response,
        instant.as_of
    FROM fact_chats AS chat
    CROSS JOIN instant
    WHERE (chat.closed_at IS NULL OR chat.closed_at > instant.as_of)
        AND chat.agent_messages IS NOT NULL
        AND ($company IS NULL OR chat.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
),
turns AS (
    SELECT reply.company_id, reply.chat_id, reply.session_no, reply.is_first, reply.waiting_since
    FROM fact_replies AS reply
    CROSS JOIN instant
    WHERE reply.waiting_since <= instant.as_of
        AND (reply.replied_at IS NULL OR reply.replied_at > instant.as_of)
        AND ($company IS NULL OR reply.company_id = $company)
),
waits AS (
    SELECT wait.company_id, wait.chat_id, wait.session_no, min(wait.entered_at) AS waiting_since
    FROM fact_queue_waits AS wait
    CROSS JOIN instant
    WHERE coalesce(wait.entered_at, wait.left_at, wait.entered_latest) <= instant.as_of
        AND ($company IS NULL OR wait.company_id = $company)
    GROUP BY wait.company_id, wait.chat_id, wait.session_no
),
unanswered AS (
    SELECT
        chat.*,
        coalesce(turn.is_first, true) AS is_first,
        CASE
            WHEN chat.is_without_response THEN least(turn.waiting_since, wait.waiting_since)
            ELSE turn.waiting_since
        END AS waiting_since
    FROM open_chats AS chat
    LEFT JOIN turns AS turn
        ON turn.chat_id = chat.chat_id
        AND turn.session_no = chat.session_no
        AND turn.company_id IS NOT DISTINCT FROM chat.company_id
    LEFT JOIN waits AS wait
        ON wait.chat_id = chat.chat_id
        AND wait.session_no = chat.session_no
        AND wait.company_id IS NOT DISTINCT FROM chat.company_id
    WHERE turn.chat_id IS NOT NULL OR (wait.chat_id IS NOT NULL AND chat.is_without_response)
)
SELECT
    chat.company_id,
    chat.chat_id,
    chat.session_no,
    chat.contact_id,
    chat.contact_name,
    chat.channel,
    chat.department_id,
    department.name AS department_name,
    CASE
        WHEN segment.chat_id IS NOT NULL THEN 'agent'
        WHEN stay.chat_id IS NOT NULL THEN 'queue'
    END AS place,
    segment.agent_id,
    agent.name AS agent_name,
    chat.is_first,
    local_time(chat.waiting_since) AS waiting_since_local,
    CAST(date_part('epoch', chat.as_of - chat.waiting_since) AS BIGINT) AS waiting_seconds
FROM unanswered AS chat
-- Segments of a session do not overlap.
LEFT JOIN fact_agent_segments AS segment
    ON segment.chat_id = chat.chat_id
    AND segment.session_no = chat.session_no
    AND segment.started_at <= chat.as_of
    AND (segment.ended_at IS NULL OR segment.ended_at > chat.as_of)
    AND segment.company_id IS NOT DISTINCT FROM chat.company_id
-- Nor do stays overlap whose beginning and end are known: at most one holds the instant.
LEFT JOIN fact_queue_waits AS stay
    ON stay.chat_id = chat.chat_id
    AND stay.session_no = chat.session_no
    AND stay.entered_at <= chat.as_of
    AND (stay.exit = 'open' OR stay.left_at > chat.as_of)
    AND stay.company_id IS NOT DISTINCT FROM chat.company_id
LEFT JOIN dim_departments AS department
    ON department.department_id = chat.department_id
    AND department.company_id IS NOT DISTINCT FROM chat.company_id
LEFT JOIN dim_agents AS agent
    ON agent.agent_id = segment.agent_id
    AND agent.company_id IS NOT DISTINCT FROM chat.company_id
WHERE ($from IS NULL OR local_date(chat.waiting_since) >= $from)
    AND ($to IS NULL OR local_date(chat.waiting_since) <= $to)
ORDER BY waiting_seconds DESC NULLS LAST, chat.company_id, chat.chat_id, chat.session_no;
