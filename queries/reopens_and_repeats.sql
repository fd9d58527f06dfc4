-- Who comes back within 7 days of a close (reabertura, rechamada)? By direction, channel, department and outcome.
-- chart: bar x=channel y=sum(reopened),sum(repeated)
--
-- Looks at closed sessions (atendimentos), and asks what the customer did in the $days x 24 hours after the
-- close. A session begun by the company (ativo) is no coming back.
--
-- closed            all closed sessions:  closed = observed + too_recent
-- observed          those whose days after the close are over at the lake's last event: what is known of
--                   a close of yesterday would only make the rates look better
-- reopened          observed whose own chat began another session
-- repeated          observed whose contact began a session in another chat, of any channel or department
-- came_back         either, or both, each session once;  came_back_pct is of observed
-- resolved_pct      the others: resolution at first contact (FCR), as far as coming back shows it. FCR is that of
--                   inbound: the customer asked something. Of outbound (ativo), what the company began, a
--                   customer who is silent afterwards resolves nothing
-- direction         who began the closed session: inbound, outbound or unknown
-- contact_unknown   observed whose contact no event names: only reopening can show there
--
-- Each close is judged by itself: a customer who comes three times in a row comes back twice. The period is
-- that of the closed session's start, in the lake's business time zone; channel and department are its last
-- known ones.
--
-- $days BIGINT = 7  how long after the close counts
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH last_event AS (
    SELECT least(max(delivered_at), max(received_at)) AS at FROM events
),
closed AS (
    SELECT
        chat.*,
        department.name AS department_name,
        date_part('epoch', last_event.at - chat.closed_at) >= $days * 86400 AS is_observed
    FROM fact_chats AS chat
    CROSS JOIN last_event
    LEFT JOIN dim_departments AS department
        ON department.department_id = chat.department_id
        AND department.company_id IS NOT DISTINCT FROM chat.company_id
    WHERE chat.closed_at IS NOT NULL
        AND ($from IS NULL OR chat.started_date >= $from)
        AND ($to IS NULL OR chat.started_date <= $to)
        AND ($company IS NULL OR chat.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND ($department IS NULL OR chat.department_id = $department)
),
reopened AS (
    SELECT DISTINCT closed.company_id, closed.chat_id, closed.session_no
    FROM closed
    JOIN fact_chats AS later
        ON later.chat_id = closed.chat_id
        AND later.session_no > closed.session_no
        AND later.direction <> 'outbound'
        AND ($from IS NULL OR later.started_date >= $from)
        AND date_part('epoch', later.started_at - closed.closed_at) BETWEEN 0 AND $days * 86400
        AND later.company_id IS NOT DISTINCT FROM closed.company_id
),
repeated AS (
    SELECT DISTINCT closed.company_id, closed.chat_id, closed.session_no
    FROM closed
    JOIN fact_chats AS later
        ON later.contact_id = closed.contact_id
        AND later.chat_id <> closed.chat_id
        AND later.direction <> 'outbound'
        AND ($from IS NULL OR later.started_date >= $from)
        AND date_part('epoch', later.started_at - closed.closed_at) BETWEEN 0 AND $days * 86400
        AND later.company_id IS NOT DISTINCT FROM closed.company_id
),
judged AS (
    SELECT
        closed.company_id,
        closed.channel,
        closed.department_id,
        closed.department_name,
        closed.direction,
        closed.outcome,
        closed.contact_id,
        closed.is_observed,
        reopened.chat_id IS NOT NULL AS is_reopened,
        repeated.chat_id IS NOT NULL AS is_repeated
    FROM closed
    LEFT JOIN reopened
        ON reopened.chat_id = closed.chat_id
        AND reopened.session_no = closed.session_no
        AND reopened.company_id IS NOT DISTINCT FROM closed.company_id
    LEFT JOIN repeated
        ON repeated.chat_id = closed.chat_id
        AND repeated.session_no = closed.session_no
        AND repeated.company_id IS NOT DISTINCT FROM closed.company_id
)
SELECT
    company_id,
    channel,
    department_id,
    department_name,
    direction,
    outcome,
    count(*) AS closed,
    count(*) FILTER (WHERE is_observed) AS observed,
    count(*) FILTER (WHERE NOT is_observed) AS too_recent,
    count(*) FILTER (WHERE is_observed AND is_reopened) AS reopened,
    count(*) FILTER (WHERE is_observed AND is_repeated) AS repeated,
    count(*) FILTER (WHERE is_observed AND (is_reopened OR is_repeated)) AS came_back,
    round(
        100.0 * count(*) FILTER (WHERE is_observed AND (is_reopened OR is_repeated))
        / nullif(count(*) FILTER (WHERE is_observed), 0), 1
    ) AS came_back_pct,
    round(
        100.0 * count(*) FILTER (WHERE is_observed AND NOT is_reopened AND NOT is_repeated)
        / nullif(count(*) FILTER (WHERE is_observed), 0), 1
    ) AS resolved_pct,
    count(*) FILTER (WHERE is_observed AND contact_id IS NULL) AS contact_unknown
FROM judged
GROUP BY company_id, channel, department_id, department_name, direction, outcome
ORDER BY company_id, channel, department_id, direction, outcome;
