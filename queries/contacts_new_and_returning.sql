-- How many contacts come for the first time, and how many come back? By day and channel.
-- chart: bar x=day y=sum(new),sum(returning) stacked
--
-- contacts      distinct contacts (contatos) with a session on the day:  contacts = new + returning
-- new           whose first session in the whole lake, on any channel and in any department, is of this
--               day: coming twice on the first day is still new. A lake that begins in the middle of
--               business takes everybody for new at first.
-- returning     who had a session on an earlier day
-- new_pct       new of contacts
-- sessions      all sessions of the day:  sessions = of_new + of_returning + contact_unknown
-- contact_unknown  sessions whose contact no event names: neither new nor returning
--
-- A contact on two channels counts under both, and on two days on both: neither can be added up.
-- day is the date on which the session started, in the lake's business time zone.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH first_days AS (
    SELECT company_id, contact_id, min(started_date) AS first_day
    FROM fact_chats
    WHERE contact_id IS NOT NULL
    GROUP BY company_id, contact_id
),
-- One row for each contact of a day and channel, and one for all sessions without. An id is one contact's
-- within its company only.
contacts AS (
    SELECT
        chat.started_date AS day,
        chat.channel,
        chat.contact_id,
        first_days.first_day = chat.started_date AS is_new,
        count(*) AS sessions
    FROM fact_chats AS chat
    LEFT JOIN first_days
        ON first_days.contact_id = chat.contact_id
        AND first_days.company_id IS NOT DISTINCT FROM chat.company_id
    WHERE ($from IS NULL OR chat.started_date >= $from)
        AND ($to IS NULL OR chat.started_date <= $to)
        AND ($company IS NULL OR chat.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
    GROUP BY chat.started_date, chat.channel, chat.company_id, chat.contact_id, first_days.first_day
)
SELECT
    day,
    channel,
    count(contact_id) AS contacts,
    count(*) FILTER (WHERE is_new) AS new,
    count(*) FILTER (WHERE NOT is_new) AS returning,
    round(100.0 * count(*) FILTER (WHERE is_new) / nullif(count(contact_id), 0), 1) AS new_pct,
    sum(sessions) AS sessions,
    coalesce(sum(sessions) FILTER (WHERE is_new), 0) AS of_new,
    coalesce(sum(sessions) FILTER (WHERE NOT is_new), 0) AS of_returning,
    coalesce(sum(sessions) FILTER (WHERE is_new IS NULL), 0) AS contact_unknown
FROM contacts
GROUP BY day, channel
ORDER BY day, channel;
