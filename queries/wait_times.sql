-- How long do customers wait in the queue, and how many give up? By day, channel and department.
-- chart: line x=day y=mean(answered_avg_seconds,answered_known) by=channel
--
-- A row of fact_queue_waits is a stay in the queue of one department. A customer who is moved to
-- another department's queue has one row there and one here, but waits once: the wait counts where it
-- ended, or is still open. So  waits = answered + abandoned + short_abandoned + exit_unknown + still_open,
-- and no customer's wait is counted twice when departments are added up.
--
-- moved_on      stays that ended by a move to another department's queue: no ended waits, so in no
--               other column; they have an average of their own, to keep the time spent here visible
-- TME           tempo medio de espera: answered_avg_seconds, the time in this department's queue until
--               an agent took the chat. After a move it starts at the move; for what the customer
--               waited in all departments together see first_wait_seconds of fact_chats.
-- abandono      abandoned: the customer left unanswered; abandoned_pct is its share of the answered and
--               the abandoned. short_abandoned left within seconds (setting short_abandon_seconds,
--               counted over the unbroken wait) and is in neither side of that share.
-- exit_unknown  closed, and no event could tell whether answered or abandoned: counted, but in no rate
-- unknown       ended waits whose beginning or end no event shows: counted, but in no average
-- answered_known  answered ones with a known wait: as many the average of the answered is of
-- p90           nine in ten waited at most about so long: interpolated between the two nearest
--
-- day is the date on which the customer entered this queue, in the lake's business time zone.
-- Averages are over single waits and cannot be averaged again: to see all days as one, set $by_day to false;
-- to see channels or departments as one, take their column out of the SELECT, GROUP BY and ORDER BY.
--
-- $by_day BOOLEAN = true  false for one row of the whole period instead of one a day: day is NULL then
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH stays AS (
    SELECT
        wait.company_id,
        CASE WHEN $by_day THEN wait.entered_date END AS day,
        wait.channel,
        wait.department_id,
        department.name AS department_name,
        wait.exit,
        wait.wait_seconds,
        CASE WHEN wait.exit = 'answered' THEN wait.wait_seconds END AS answered_seconds,
        CASE WHEN wait.exit = 'abandoned' THEN wait.wait_seconds END AS abandoned_seconds,
        CASE WHEN wait.exit = 'department_changed' THEN wait.wait_seconds END AS moved_on_seconds
    FROM fact_queue_waits AS wait
    LEFT JOIN dim_departments AS department
        ON department.department_id = wait.department_id
        AND department.company_id IS NOT DISTINCT FROM wait.company_id
    WHERE ($from IS NULL OR wait.entered_date >= $from)
        AND ($to IS NULL OR wait.entered_date <= $to)
        AND ($company IS NULL OR wait.company_id = $company)
        AND ($channel IS NULL OR wait.channel = $channel)
        AND ($department IS NULL OR wait.department_id = $department)
)
SELECT
    company_id,
    day,
    channel,
    department_id,
    department_name,
    count(*) FILTER (WHERE exit IS DISTINCT FROM 'department_changed') AS waits,
    count(*) FILTER (WHERE exit = 'answered') AS answered,
    count(*) FILTER (WHERE exit = 'abandoned') AS abandoned,
    count(*) FILTER (WHERE exit = 'short_abandoned') AS short_abandoned,
    count(*) FILTER (WHERE exit IS NULL) AS exit_unknown,
    count(*) FILTER (WHERE exit = 'open') AS still_open,
    count(*) FILTER (
        WHERE exit IN ('answered', 'abandoned', 'short_abandoned') AND wait_seconds IS NULL
    ) AS unknown,
    round(
        100.0 * count(*) FILTER (WHERE exit = 'abandoned')
        / nullif(count(*) FILTER (WHERE exit IN ('answered', 'abandoned')), 0), 1
    ) AS abandoned_pct,
    count(answered_seconds) AS answered_known,
    round(avg(answered_seconds), 1) AS answered_avg_seconds,
    round(median(answered_seconds), 1) AS answered_median_seconds,
    round(percentile_cont(0.9) WITHIN GROUP (ORDER BY answered_seconds), 1) AS answered_p90_seconds,
    round(avg(abandoned_seconds), 1) AS abandoned_avg_seconds,
    round(median(abandoned_seconds), 1) AS abandoned_median_seconds,
    round(percentile_cont(0.9) WITHIN GROUP (ORDER BY abandoned_seconds), 1) AS abandoned_p90_seconds,
    count(*) FILTER (WHERE exit = 'department_changed') AS moved_on,
    round(avg(moved_on_seconds), 1) AS moved_on_avg_seconds
FROM stays
GROUP BY company_id, day, channel, department_id, department_name
ORDER BY company_id, day, channel, department_id;
