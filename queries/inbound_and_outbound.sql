-- Who begins the chats, customers (receptivo) or the company (ativo)? By day, channel and department.
-- chart: bar x=day y=sum(inbound),sum(outbound),sum(direction_unknown) stacked
--
-- sessions          all that began on the day:  sessions = inbound + outbound + direction_unknown
-- inbound_pct       inbound of those whose direction is known
-- inbound_handled   inbound sessions in which an agent took part and that are closed
-- outbound_replied  outbound sessions in which the contact wrote at least one message
-- outbound_silent   those in which the contact wrote none
-- outbound_reply_unknown  those where the contact's messages are not subscribed: it cannot be told
-- outbound_replied_pct    replied of replied and silent; sessions still open are in it, so the latest
--                   days rise yet
--
-- day is the date on which the session started, in the lake's business time zone; channel and
-- department are the session's last known ones. Shares cannot be averaged: to see all days as one, set $by_day
-- to false.
--
-- $by_day BOOLEAN = true  false for one row of the whole period instead of one a day: day is NULL then
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
SELECT
    chat.company_id,
    CASE WHEN $by_day THEN chat.started_date END AS day,
    chat.channel,
    chat.department_id,
    department.name AS department_name,
    count(*) AS sessions,
    count(*) FILTER (WHERE chat.direction = 'inbound') AS inbound,
    count(*) FILTER (WHERE chat.direction = 'outbound') AS outbound,
    count(*) FILTER (WHERE chat.direction = 'unknown') AS direction_unknown,
    round(
        100.0 * count(*) FILTER (WHERE chat.direction = 'inbound')
        / nullif(count(*) FILTER (WHERE chat.direction IN ('inbound', 'outbound')), 0), 1
    ) AS inbound_pct,
    count(*) FILTER (WHERE chat.direction = 'inbound' AND chat.outcome = 'handled') AS inbound_handled,
    count(*) FILTER (WHERE chat.direction = 'outbound' AND chat.contact_messages > 0) AS outbound_replied,
    count(*) FILTER (WHERE chat.direction = 'outbound' AND chat.contact_messages = 0) AS outbound_silent,
    count(*) FILTER (
        WHERE chat.direction = 'outbound' AND chat.contact_messages IS NULL
    ) AS outbound_reply_unknown,
    round(
        100.0 * count(*) FILTER (WHERE chat.direction = 'outbound' AND chat.contact_messages > 0)
        / nullif(count(*) FILTER (WHERE chat.direction = 'outbound' AND chat.contact_messages IS NOT NULL), 0), 1
    ) AS outbound_replied_pct
FROM fact_chats AS chat
LEFT JOIN dim_departments AS department
    ON department.department_id = chat.department_id
    AND department.company_id IS NOT DISTINCT FROM chat.company_id
WHERE ($from IS NULL OR chat.started_date >= $from)
    AND ($to IS NULL OR chat.started_date <= $to)
    AND ($company IS NULL OR chat.company_id = $company)
    AND ($channel IS NULL OR chat.channel = $channel)
    AND ($department IS NULL OR chat.department_id = $department)
GROUP BY chat.company_id, day, chat.channel, chat.department_id, department.name
ORDER BY chat.company_id, day, chat.channel, chat.department_id;
