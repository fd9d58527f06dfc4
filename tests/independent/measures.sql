-- The measures of each session, for the chats whose rules plain SQL can express; which those are is said at the end.

-- `comes_in`: the event brings in its agent. A message does so only where no agent is in: the first since the last sight of the queue.
CREATE TABLE live AS
WITH sighted AS (
    SELECT *, situation = 'wait_for_chat' AS in_queue,
        count(*) FILTER (situation = 'wait_for_chat') OVER (PARTITION BY company_id, chat_id, session_no ORDER BY position) AS sights
    FROM evidence WHERE live
), candidates AS (
    SELECT *, situation = 'in_chat' AND agent_id IS NOT NULL
        AND (type IN ('agentEntered', 'leftQueue') OR coalesce(role = 'agent', false)) AS may_come_in
    FROM sighted
)
SELECT *, coalesce(may_come_in AND (role IS NULL OR row_number() OVER
    (PARTITION BY company_id, chat_id, session_no, sights, may_come_in ORDER BY position) = 1), false) AS comes_in
FROM candidates;

CREATE TABLE segments AS
WITH marks AS (
    SELECT *, lag(CASE WHEN comes_in THEN agent_id END) OVER session IS DISTINCT FROM agent_id AND comes_in AS starts
    FROM live
    WHERE comes_in OR in_queue OR type = 'closedChat'
    WINDOW session AS (PARTITION BY company_id, chat_id, session_no ORDER BY position)
), stretches AS (
    SELECT *, lead(occurred_at) OVER session AS ended_at, lead(type) OVER session AS ended_by, lead(in_queue) OVER session AS requeued
    FROM marks
    WHERE starts OR NOT comes_in
    WINDOW session AS (PARTITION BY company_id, chat_id, session_no ORDER BY position)
)
SELECT company_id, chat_id, session_no,
    row_number() OVER (PARTITION BY company_id, chat_id, session_no ORDER BY position) AS segment_no,
    agent_id, occurred_at AS started_at, ended_at,
    CASE
        WHEN ended_by IS NULL THEN 'open'
        WHEN ended_by = 'closedChat' THEN 'closed'
        WHEN requeued OR ended_by = 'leftQueue' THEN 'requeued'
        ELSE 'transferred'
    END AS end_reason,
    seconds(started_at, ended_at) AS handle_seconds,
    -- Another agent's leftQueue tells of a queue that nobody saw the chat enter.
    coalesce(ended_by = 'leftQueue' AND NOT coalesce(requeued, false), false) AS ended_bounded
FROM stretches WHERE starts;

-- What tells of the queue, in order. A leftQueue that says finishing shows a chat still in the queue, whose wait the close ends.
CREATE TABLE queue_marks AS
WITH kinds AS (
    SELECT *, CASE
            WHEN in_queue OR type = 'leftQueue' AND situation = 'finishing' THEN 'in'
            WHEN type IN ('leftQueue', 'agentEntered') THEN 'out'
            WHEN situation = 'in_chat' THEN 'seen out'
            WHEN type = 'closedChat' THEN 'close'
        END AS kind
    FROM live
)
SELECT *,
    coalesce(lag(kind) OVER session = 'in', false) AS was_waiting,
    -- The last event that brought in an agent, unless the queue was seen since.
    last_value(CASE WHEN comes_in THEN occurred_at WHEN in_queue THEN '-infinity' END IGNORE NULLS) OVER before AS in_since,
    last_value(CASE WHEN comes_in THEN agent_id WHEN in_queue THEN -1 END IGNORE NULLS) OVER before AS agent_in
FROM kinds
WHERE kind IS NOT NULL
WINDOW session AS (PARTITION BY company_id, chat_id, session_no ORDER BY position),
    before AS (PARTITION BY company_id, chat_id, session_no ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING);

-- Unbroken waits: (a), (b) and (c) of the rules in turn, then the first exit.
CREATE TABLE unbroken AS
WITH entries AS (
    SELECT *, coalesce(agent_in, -1) <> -1 AS has_agent
    FROM queue_marks
    WHERE NOT was_waiting AND kind IN ('in', 'out')
        AND NOT (type = 'leftQueue' AND coalesce(agent_in = agent_id AND instant <= in_since + INTERVAL 60 SECONDS, false))
), after_flow AS (
    SELECT e.company_id, e.chat_id, e.position, arg_max(f.occurred_at, f.position) AS finished_at, max(f.position) AS finish_position
    FROM entries e JOIN live f USING (company_id, chat_id, session_no)
    WHERE f.type = 'finishedAutomationFlow' AND NOT e.has_agent
        AND (f.position < e.position OR f.instant <= e.instant + INTERVAL 2 SECONDS AND e.kind = 'in')
    GROUP BY ALL
), valid_finish AS (
    SELECT * FROM after_flow a
    WHERE NOT EXISTS (
        FROM live b
        WHERE b.company_id = a.company_id AND b.chat_id = a.chat_id AND b.position > a.finish_position AND b.position < a.position
            AND (b.type = 'startedAutomationFlow' OR b.situation = 'auto' AND b.instant > a.finished_at + INTERVAL 2 SECONDS))
), entered AS (
    SELECT e.*,
        CASE
            WHEN finished_at IS NOT NULL THEN 'flow_finished'
            WHEN in_queue AND has_agent THEN 'requeue_seen'
            WHEN in_queue THEN 'situation_seen'
            WHEN type = 'leftQueue' THEN 'bounded'
        END AS entered_source,
        coalesce(finished_at, CASE WHEN in_queue THEN instant END) AS entered_at,
        coalesce(least(e.position, finish_position), e.position) AS entered_position
    FROM entries e LEFT JOIN valid_finish USING (company_id, chat_id, position)
    WHERE entered_source IS NOT NULL
)
SELECT e.company_id, e.chat_id, e.session_no, e.position, e.entered_position, e.entered_at, e.entered_source,
    x.kind AS exit_kind, x.position AS left_position, CASE WHEN x.kind = 'out' OR x.comes_in THEN x.agent_id END AS agent_id,
    -- Who is only seen out of the queue left it at some instant before.
    CASE WHEN x.kind = 'seen out' THEN 'situation_seen' ELSE x.type END AS left_source,
    CASE WHEN x.kind <> 'seen out' THEN x.occurred_at END AS left_at,
    seconds(e.entered_at, left_at) AS wait_seconds
FROM entered e LEFT JOIN queue_marks x ON x.company_id = e.company_id AND x.chat_id = e.chat_id AND x.session_no = e.session_no
    AND x.kind <> 'in' AND x.position >= e.position
QUALIFY row_number() OVER (PARTITION BY e.company_id, e.chat_id, e.position ORDER BY x.position) = 1;

-- A department change cuts a wait in two.
CREATE TABLE waits AS
WITH cuts AS (
    SELECT company_id, chat_id, session_no, position AS wait, entered_position AS cut, entered_at, entered_source FROM unbroken
    UNION ALL
    SELECT u.company_id, u.chat_id, u.session_no, u.position, d.position, d.occurred_at, 'department_changed'
    FROM unbroken u JOIN live d USING (company_id, chat_id, session_no)
    WHERE d.changes_department AND d.position > u.entered_position AND d.position < coalesce(u.left_position, 1e9)
)
SELECT c.company_id, c.chat_id, c.session_no,
    row_number() OVER (PARTITION BY c.company_id, c.chat_id, c.session_no ORDER BY cut) AS episode_no,
    c.entered_at, c.entered_source,
    CASE WHEN next_cut IS NULL THEN u.left_at ELSE next_at END AS left_at,
    CASE WHEN next_cut IS NULL THEN u.left_source ELSE 'updatedChatDepartment' END AS left_source,
    CASE
        WHEN next_cut IS NOT NULL THEN 'department_changed'
        WHEN exit_kind IS NULL THEN 'open'
        WHEN exit_kind <> 'close' THEN 'answered'
        WHEN u.wait_seconds < 10 THEN 'short_abandoned'
        ELSE 'abandoned'
    END AS exit,
    CASE WHEN exit = 'answered' THEN u.agent_id END AS agent_id,
    seconds(c.entered_at, CASE WHEN next_cut IS NULL THEN u.left_at ELSE next_at END) AS wait_seconds
FROM (SELECT *, lead(cut) OVER wait AS next_cut, lead(entered_at) OVER wait AS next_at
      FROM cuts WINDOW wait AS (PARTITION BY company_id, chat_id, wait ORDER BY cut)) c
JOIN unbroken u ON u.company_id = c.company_id AND u.chat_id = c.chat_id AND u.position = c.wait;

CREATE TABLE responses AS
WITH first_waits AS (
    FROM unbroken QUALIFY row_number() OVER (PARTITION BY company_id, chat_id, session_no ORDER BY position) = 1
), first_replies AS (
    FROM live WHERE role = 'agent'
    QUALIFY row_number() OVER (PARTITION BY company_id, chat_id, session_no ORDER BY position) = 1
)
SELECT r.company_id, r.chat_id, r.session_no, any_value(r.occurred_at) AS first_response_at,
    CASE
        WHEN any_value(w.position) < any_value(r.position) THEN any_value(w.entered_at)
        WHEN bool_or(e.type = 'startedAutomationFlow') THEN arg_min(e.occurred_at, e.position) FILTER (e.type IN ('agentEntered', 'leftQueue'))
        ELSE arg_min(e.occurred_at, e.position) FILTER (e.role = 'contact')
    END AS since,
    since IS NULL AND bool_or(e.type = 'startedAutomationFlow') AS handed_off_later
FROM first_replies r
LEFT JOIN first_waits w USING (company_id, chat_id, session_no)
LEFT JOIN live e ON e.company_id = r.company_id AND e.chat_id = r.chat_id AND e.session_no = r.session_no AND e.position < r.position
GROUP BY r.company_id, r.chat_id, r.session_no;

CREATE TABLE sessions AS
WITH seen AS (
    SELECT company_id, chat_id, session_no,
        least(min(occurred_at), min(chat_created_at) FILTER (session_no = 1)) AS started_at,
        arg_min(occurred_at, position) FILTER (type = 'closedChat') AS closed_at,
        arg_max(situation, position) AS last_situation,
        count(*) FILTER (role = 'contact')::INT AS contact_messages,
        count(*) FILTER (role = 'agent')::INT AS agent_messages,
        count(*) FILTER (role = 'bot')::INT AS bot_messages,
        count(*) FILTER (role = 'internal')::INT AS internal_messages,
        sum(copies)::INT AS event_count
    FROM evidence GROUP BY ALL
), runs AS (
    SELECT company_id, chat_id, session_no, bool_and(finished) AS all_finished
    FROM (
        SELECT company_id, chat_id, session_no, run, coalesce(max(position) FILTER (type = 'finishedAutomationFlow')
                > min(position) FILTER (type = 'startedAutomationFlow'), false) AS finished
        FROM live GROUP BY ALL HAVING bool_or(type = 'startedAutomationFlow')
    )
    GROUP BY ALL
), waited AS (
    SELECT company_id, chat_id, session_no,
        arg_min_null(wait_seconds, position) AS first_wait_seconds,
        CASE WHEN count(wait_seconds) = count(*) THEN sum(wait_seconds)::BIGINT END AS total_wait_seconds,
        arg_min_null(entered_at, position) AS queue_entered_at
    FROM unbroken
    GROUP BY ALL
), handled AS (
    SELECT company_id, chat_id, session_no, bool_or(end_reason = 'open') AS in_chat,
        CASE WHEN NOT bool_or(end_reason = 'open') THEN sum(handle_seconds)::BIGINT END AS handle_seconds,
        count(*)::INT AS agent_segments, count(*) FILTER (end_reason = 'transferred')::INT AS transfers
    FROM segments GROUP BY ALL
), episodes AS (
    SELECT company_id, chat_id, session_no, count(*)::INT AS queue_episodes, arg_max(exit, episode_no) AS last_exit
    FROM waits GROUP BY ALL
)
SELECT company_id, chat_id, session_no, started_at, closed_at, seconds(started_at, closed_at) AS duration_seconds,
    CASE
        WHEN closed_at IS NOT NULL THEN 'closed'
        WHEN last_exit = 'open' THEN 'wait_for_chat'
        WHEN in_chat OR last_situation = 'in_chat' THEN 'in_chat'
        ELSE 'auto'
    END AS state,
    CASE
        WHEN closed_at IS NULL THEN 'open'
        WHEN in_chat IS NOT NULL THEN 'handled'
        WHEN last_exit IN ('abandoned', 'short_abandoned') THEN last_exit
        WHEN all_finished THEN 'contained'
        WHEN NOT all_finished THEN 'bot_dropped'
        ELSE 'unanswered'
    END AS outcome,
    queue_entered_at, first_wait_seconds, total_wait_seconds, coalesce(queue_episodes, 0) AS queue_episodes,
    first_response_at, seconds(since, first_response_at) AS first_response_seconds,
    handle_seconds, coalesce(agent_segments, 0) AS agent_segments, coalesce(transfers, 0) AS transfers,
    contact_messages, agent_messages, bot_messages, internal_messages, event_count
FROM seen
LEFT JOIN runs USING (company_id, chat_id, session_no)
LEFT JOIN waited USING (company_id, chat_id, session_no)
LEFT JOIN episodes USING (company_id, chat_id, session_no)
LEFT JOIN handled USING (company_id, chat_id, session_no)
LEFT JOIN responses USING (company_id, chat_id, session_no);

CREATE TABLE messages AS
SELECT company_id, chat_id, message_id, session_no, occurred_at AS sent_at, role = 'internal' AS is_internal,
    -- Who wrote a note among agents is as with any message.
    sender_role AS role
FROM evidence WHERE role IS NOT NULL;

-- What this SQL does not express, by chat, so that all its measures of that kind are left out of the comparison.
CREATE TABLE outside AS
-- A second close that counts for nothing: only the first says from when on an event opens the next session.
SELECT company_id, chat_id, 'sessions' AS measures FROM evidence WHERE type = 'closedChat'
GROUP BY company_id, chat_id, session_no HAVING count(*) > 1
UNION
-- Seen out of the queue before anybody was said to come in: by whom, and whether a later leftQueue or agentEntered ends that wait.
SELECT s.company_id, s.chat_id, 'queue'
FROM queue_marks s LEFT JOIN queue_marks o ON o.company_id = s.company_id AND o.chat_id = s.chat_id AND o.session_no = s.session_no
    AND o.kind = 'out' AND o.position > s.position
WHERE s.kind = 'seen out' AND s.was_waiting AND (NOT s.comes_in OR o.position IS NOT NULL)
UNION
-- Between a flow's finish and what shows that the chat waited since: a department change, or an agent who writes before coming in.
SELECT e.company_id, e.chat_id, 'queue'
FROM unbroken e JOIN live b USING (company_id, chat_id, session_no)
WHERE e.entered_source = 'flow_finished' AND b.changes_department
    AND b.position > e.entered_position AND b.position < e.position
UNION
SELECT f.company_id, f.chat_id, 'queue'
FROM live f JOIN live b USING (company_id, chat_id, session_no, sights) JOIN live e USING (company_id, chat_id, session_no, sights)
WHERE f.type = 'finishedAutomationFlow' AND b.role = 'agent' AND b.comes_in AND e.type IN ('leftQueue', 'agentEntered')
    AND f.position < b.position AND b.position < e.position
UNION
-- A leftQueue that names nobody, or the agent already in for more than an echo, or says finishing of a chat not seen waiting.
SELECT company_id, chat_id, 'queue' FROM queue_marks
WHERE type = 'leftQueue' AND (situation = 'in_chat' AND agent_id IS NULL OR situation = 'finishing' AND NOT was_waiting
    OR agent_in = agent_id AND instant > in_since + INTERVAL 60 SECONDS)
UNION
-- A flow that finishes up to 2 s after the queue was seen, and something else that happens between.
SELECT w.company_id, w.chat_id, 'queue' FROM queue_marks w JOIN live f USING (company_id, chat_id, session_no)
WHERE w.kind IN ('in', 'out') AND f.type = 'finishedAutomationFlow' AND f.instant <= w.instant + INTERVAL 2 SECONDS AND f.position > w.position + 1
UNION
-- The same flow started or finished again under the same token: which finish ends which run.
SELECT company_id, chat_id, 'queue' FROM live WHERE type IN ('startedAutomationFlow', 'finishedAutomationFlow')
GROUP BY company_id, chat_id, session_no, run, type HAVING count(*) > 1
UNION
-- An agent who writes after the close; or, after a flow, before any leftQueue or agentEntered says that somebody came in.
SELECT company_id, chat_id, 'responses' FROM evidence WHERE role = 'agent' AND NOT live
UNION
SELECT company_id, chat_id, 'responses'
FROM responses r JOIN live e USING (company_id, chat_id, session_no)
WHERE r.handed_off_later AND e.type IN ('leftQueue', 'agentEntered');
