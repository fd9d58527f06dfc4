-- Who is waiting (fila) at a given instant, and for how long? By channel and department.
-- chart: bar x=department_label y=sum(waiting) by=channel stacked
--
-- waiting           stays in the queue that had begun and not ended at the instant: one per chat, in the
--                   department whose queue it was then
-- department_label  the name, else the id; (none) for the queue of no department. The fullest come first
-- waited_*_seconds  how long they had been waiting then, in this department's queue
-- entered_first_local  when the longest of them began; one that is days old is rather a close that was never
--                   delivered than a customer
-- may_wait          stays whose beginning or end no event shows, and which may hold the instant: not in
--                   waiting, and with no time waited. A stay that was seen to be over is so by the session's
--                   last event at the latest.
--
-- as_of_local is the instant; it and entered_first_local are on the clock of the lake's business time zone.
-- Without $as_of it is that of the lake's last event, which is as far as the lake knows; nothing is ever
-- measured against the clock of the machine. At an instant before the lake's first event nobody is known
-- to wait.
--
-- $as_of TIMESTAMP = NULL  the instant; NULL for the lake's last event
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the queue of the department (departamento) of this id
WITH instant AS (
    SELECT coalesce($as_of, least(max(delivered_at), max(received_at))) AS as_of, least(max(delivered_at), max(received_at)) AS last_event
    FROM events
),
stays AS (
    SELECT
        wait.company_id,
        wait.channel,
        wait.department_id,
        department.name AS department_name,
        coalesce(department.name, CAST(wait.department_id AS VARCHAR), '(none)') AS department_label,
        instant.as_of,
        wait.entered_at,
        wait.entered_at IS NOT NULL
            AND (wait.left_at IS NOT NULL OR wait.exit IS NOT DISTINCT FROM 'open') AS is_known,
        coalesce(wait.entered_at, wait.entered_earliest, chat.started_at) AS not_before,
        -- An end that is not told is no later than the session's, and than the last event: that is all that
        -- has shown it.
        coalesce(
            wait.left_at,
            CASE
                WHEN wait.exit IS DISTINCT FROM 'open'
                    THEN least(chat.closed_at, chat.last_event_at, instant.last_event)
            END
        ) AS not_after
    FROM fact_queue_waits AS wait
    CROSS JOIN instant
    LEFT JOIN fact_chats AS chat
        ON chat.chat_id = wait.chat_id
        AND chat.session_no = wait.session_no
        AND chat.company_id IS NOT DISTINCT FROM wait.company_id
    LEFT JOIN dim_departments AS department
        ON department.department_id = wait.department_id
        AND department.company_id IS NOT DISTINCT FROM wait.company_id
    WHERE ($company IS NULL OR wait.company_id = $company)
        AND ($channel IS NULL OR wait.channel = $channel)
        AND ($department IS NULL OR wait.department_id = $department)
)
SELECT
    company_id,
    local_time(as_of) AS as_of_local,
    channel,
    department_id,
    department_name,
    department_label,
    count(*) FILTER (WHERE is_known) AS waiting,
    local_time(min(entered_at) FILTER (WHERE is_known)) AS entered_first_local,
    round(avg(date_part('epoch', as_of - entered_at)) FILTER (WHERE is_known), 1) AS waited_avg_seconds,
    round(median(date_part('epoch', as_of - entered_at)) FILTER (WHERE is_known), 1) AS waited_median_seconds,
    max(CAST(date_part('epoch', as_of - entered_at) AS BIGINT)) FILTER (WHERE is_known) AS waited_max_seconds,
    count(*) FILTER (WHERE NOT is_known) AS may_wait
FROM stays
WHERE not_before <= as_of AND (not_after IS NULL OR not_after > as_of)
GROUP BY company_id, as_of, channel, department_id, department_name, department_label
ORDER BY company_id, waiting DESC, may_wait DESC, channel, department_id;
