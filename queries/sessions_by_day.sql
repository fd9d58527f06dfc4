-- How many chats are there, and how do they end? By day and channel.
-- chart: bar x=day y=sum(sessions) by=channel stacked
--
-- A row of fact_chats is one session (atendimento); a chat that is reopened starts another. Sessions are
-- counted, never events or messages.
--
-- sessions      all that began on the day:  sessions = open + handled + abandoned + short_abandoned
--               + contained + bot_dropped + unanswered + outcome_unknown
-- handled       closed, and an agent took part
-- abandono      abandoned: closed while waiting; short_abandoned: so within seconds (setting
--               short_abandon_seconds)
-- retencao      contained: the bot's flow finished and nobody else was needed; bot_dropped: the session
--               closed before the flow had finished
-- unanswered    closed with no agent, no queue and no flow
-- outcome_unknown  closed, and no subscribed event can tell how
-- reopened      sessions that reopen a chat which had been closed (in the others, too)
-- contacts      distinct known contacts of the day: who comes on two days counts on both, so days cannot
--               be added up. contact_unknown are the sessions without one.
-- *_messages    sums; NULL where the event that brings them is not subscribed, which is not "none"
--
-- day is the date on which the session started, in the lake's business time zone; channel and
-- department are the session's last known ones.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
SELECT
    started_date AS day,
    channel,
    count(*) AS sessions,
    count(*) FILTER (WHERE outcome = 'open') AS open,
    count(*) FILTER (WHERE outcome = 'handled') AS handled,
    count(*) FILTER (WHERE outcome = 'abandoned') AS abandoned,
    count(*) FILTER (WHERE outcome = 'short_abandoned') AS short_abandoned,
    count(*) FILTER (WHERE outcome = 'contained') AS contained,
    count(*) FILTER (WHERE outcome = 'bot_dropped') AS bot_dropped,
    count(*) FILTER (WHERE outcome = 'unanswered') AS unanswered,
    count(*) FILTER (WHERE outcome IS NULL) AS outcome_unknown,
    count(*) FILTER (WHERE session_no > 1) AS reopened,
    count(DISTINCT CASE WHEN contact_id IS NOT NULL THEN concat_ws('/', company_id, contact_id) END) AS contacts,
    count(*) FILTER (WHERE contact_id IS NULL) AS contact_unknown,
    sum(contact_messages) AS contact_messages,
    sum(agent_messages) AS agent_messages,
    sum(bot_messages) AS bot_messages
FROM fact_chats
WHERE ($from IS NULL OR started_date >= $from)
    AND ($to IS NULL OR started_date <= $to)
    AND ($company IS NULL OR company_id = $company)
    AND ($channel IS NULL OR channel = $channel)
    AND ($department IS NULL OR department_id = $department)
GROUP BY day, channel
ORDER BY day, channel;
