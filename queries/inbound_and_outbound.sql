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
-- department are the session's last known ones.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
SELECT
    company_id,
    started_date AS day,
    channel,
    department_id,
    count(*) AS sessions,
    count(*) FILTER (WHERE direction = 'inbound') AS inbound,
    count(*) FILTER (WHERE direction = 'outbound') AS outbound,
    count(*) FILTER (WHERE direction = 'unknown') AS direction_unknown,
    round(
        100.0 * count(*) FILTER (WHERE direction = 'inbound')
        / nullif(count(*) FILTER (WHERE direction IN ('inbound', 'outbound')), 0), 1
    ) AS inbound_pct,
    count(*) FILTER (WHERE direction = 'inbound' AND outcome = 'handled') AS inbound_handled,
    count(*) FILTER (WHERE direction = 'outbound' AND contact_messages > 0) AS outbound_replied,
    count(*) FILTER (WHERE direction = 'outbound' AND contact_messages = 0) AS outbound_silent,
    count(*) FILTER (
        WHERE direction = 'outbound' AND contact_messages IS NULL
    ) AS outbound_reply_unknown,
    round(
        100.0 * count(*) FILTER (WHERE direction = 'outbound' AND contact_messages > 0)
        / nullif(count(*) FILTER (WHERE direction = 'outbound' AND contact_messages IS NOT NULL), 0), 1
    ) AS outbound_replied_pct
FROM fact_chats
WHERE ($from IS NULL OR started_date >= $from)
    AND ($to IS NULL OR started_date <= $to)
    AND ($company IS NULL OR company_id = $company)
    AND ($channel IS NULL OR channel = $channel)
    AND ($department IS NULL OR department_id = $department)
GROUP BY company_id, day, channel, department_id
ORDER BY company_id, day, channel, department_id;
