-- What each event says, read from its payload; the order of a chat's events; and the session each belongs to.
-- `lake` is the folder of the lake; instants come from the payload and the envelope's time, never from derived columns.

CREATE MACRO utc(local) AS strptime(local, '%Y-%m-%d %H:%M:%S') AT TIME ZONE 'America/Sao_Paulo';

-- NULL where an end is unknown, 0 where clocks disagree. (`greatest` alone would make 0 of NULL.)
CREATE MACRO seconds(since, until) AS CASE WHEN since <= until THEN date_sub('second', since, until) WHEN until < since THEN 0 END;

CREATE TABLE said AS
WITH read AS (
    SELECT event_id, event_type AS type, delivered_at, payload::JSON AS item
    FROM delta_scan(getvariable('lake') || '/events')
    QUALIFY row_number() OVER (PARTITION BY event_id) = 1
), typed AS (
    SELECT *,
        type IN ('receivedMessage', 'receivedAllMessage', 'sentAllMessage', 'newInternalMessage') AS is_message,
        (item->>'$.company.id')::BIGINT AS company_id,
        coalesce(item->>'$.chat.id', item->>'$.chatID',
            CASE WHEN type IN ('startedChat', 'leftQueue', 'agentEntered', 'closedChat') THEN item->>'$.id' END)::BIGINT AS chat_id,
        coalesce(item->>'$.chat.situation', item->>'$.situation') AS situation,
        item->>'$.senderType' AS sender_type
    FROM read
)
SELECT event_id, type, delivered_at, company_id, chat_id, situation,
    CASE WHEN is_message THEN (item->>'$.id')::BIGINT END AS message_id,
    CASE
        WHEN NOT is_message THEN NULL
        WHEN sender_type = 'agent' THEN 'agent'
        WHEN sender_type IN ('virtual_agent', 'bot', 'ura') THEN 'bot'
        ELSE 'contact'
    END AS sender_role,
    CASE WHEN type = 'newInternalMessage' OR (item->>'$.is_internal')::BOOLEAN THEN 'internal' ELSE sender_role END AS role,
    coalesce(CASE WHEN is_message THEN utc(item->>'$.send_at') WHEN type = 'closedChat' THEN utc(item->>'$.closed_at') END,
        delivered_at) AS occurred_at,
    CASE
        WHEN type IN ('agentEntered', 'leftQueue') THEN (item->>'$.agent.id')::BIGINT
        WHEN is_message AND sender_type = 'agent' THEN (item->>'$.sender.id')::BIGINT
    END AS agent_id,
    -- An absent department and each spelling of none are one value.
    type = 'updatedChatDepartment'
        AND try_cast((item->>'$.chat.department') AS BIGINT) IS DISTINCT FROM try_cast((item->>'$.previousDepartment.id') AS BIGINT)
        AS changes_department,
    utc(item->>'$.context."SYSTEM.CHAT_CREATED_DATE"') AS chat_created_at,
    concat_ws(' ', item->>'$.flowID', item->>'$.flowToken') AS run
FROM typed;

-- One event a message: copies of it are counted as events but are no evidence.
CREATE TABLE ordered AS
WITH evidence AS (
    SELECT *,
        CASE WHEN type = 'closedChat' AND delivered_at <= occurred_at + INTERVAL 5 SECONDS THEN delivered_at ELSE occurred_at END AS instant,
        CASE
            WHEN type IN ('startedChat', 'startedWidgetAttendance') THEN 1
            WHEN type = 'startedAutomationFlow' THEN 2
            WHEN type = 'finishedAutomationFlow' THEN 4
            WHEN type = 'updatedChatDepartment' THEN 5
            WHEN type = 'leftQueue' THEN 6
            WHEN type = 'agentEntered' THEN 7
            WHEN role IN ('agent', 'internal') OR type = 'updatedWorkflowStep' THEN 8
            WHEN type = 'closedChat' THEN 9
            ELSE 3
        END AS causal_rank,
        count(*) OVER (PARTITION BY company_id, coalesce(message_id::TEXT, event_id)) AS copies
    FROM said
    WHERE chat_id IS NOT NULL
    QUALIFY message_id IS NULL OR row_number() OVER (PARTITION BY company_id, message_id ORDER BY occurred_at, event_id) = 1
)
SELECT *, row_number() OVER (PARTITION BY company_id, chat_id ORDER BY instant, causal_rank, message_id, event_id) AS position
FROM evidence;

-- A session begins at the first opener more than 5 s after the close before it. `live` is what can still change its state.
CREATE TABLE evidence AS
WITH after_close AS (
    SELECT *,
        count(*) FILTER (type = 'closedChat') OVER before AS closes,
        last_value(CASE WHEN type = 'closedChat' THEN occurred_at END IGNORE NULLS) OVER before AS last_closed_at
    FROM ordered
    WINDOW before AS (PARTITION BY company_id, chat_id ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), openers AS (
    SELECT *,
        coalesce((type IN ('startedChat', 'startedAutomationFlow', 'agentEntered', 'leftQueue') OR role = 'contact')
            AND instant > last_closed_at + INTERVAL 5 SECONDS, false) AS opens
    FROM after_close
), numbered AS (
    SELECT *, 1 + count(*) FILTER (opens AND first_of_its_close) OVER (PARTITION BY company_id, chat_id ORDER BY position) AS session_no
    FROM (
        SELECT *, row_number() OVER (PARTITION BY company_id, chat_id, closes, opens ORDER BY position) = 1 AS first_of_its_close
        FROM openers
    )
)
SELECT * EXCLUDE (closes, last_closed_at, opens, first_of_its_close),
    coalesce(position <= min(position) FILTER (type = 'closedChat') OVER (PARTITION BY company_id, chat_id, session_no), true) AS live
FROM numbered;
