-- How many customers give up waiting (abandono), and after how long? By day, channel and department.
-- chart: bar x=day y=sum(abandoned_within_30_seconds),sum(abandoned_30_to_60_seconds),sum(abandoned_60_to_180_seconds),sum(abandoned_180_to_600_seconds),sum(abandoned_after_600_seconds),sum(abandoned_unknown) stacked
--
-- ended             waits that ended:  ended = answered + abandoned + short_abandoned + exit_unknown. A stay
--                   that ended by a move to another department's queue goes on there and is not counted here.
-- abandoned         left unanswered after at least the setting short_abandon_seconds, counted over the
--                   unbroken wait in all departments
-- abandoned_pct     abandoned of answered and abandoned: short ones are in neither side
-- with_short_pct    abandoned and short_abandoned of those two and answered, the strictest reading
-- exit_unknown      closed, and no event could tell whether answered or abandoned: in no rate
-- abandoned_*_seconds  how many of abandoned waited so long: up to 30 seconds, more than 30 and up to 60,
--                   and so on; each is in one of these columns, so they add up to abandoned, with
-- abandoned_unknown those where no event shows when the wait began
-- time to abandon   abandoned_avg_seconds, median and p90 (nine in ten left after at most about so
--                   long: interpolated between the two nearest): the time in this department's queue,
--                   of the abandoned with a known wait
-- still_open        waiting yet: in no rate
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
-- $department BIGINT = NULL  only the queue of the department (departamento) of this id
WITH waits AS (
    SELECT
        wait.company_id,
        CASE WHEN $by_day THEN wait.entered_date END AS day,
        wait.channel,
        wait.department_id,
        department.name AS department_name,
        wait.exit,
        CASE WHEN wait.exit = 'abandoned' THEN wait.wait_seconds END AS abandoned_seconds
    FROM fact_queue_waits AS wait
    LEFT JOIN dim_departments AS department
        ON department.department_id = wait.department_id
        AND department.company_id IS NOT DISTINCT FROM wait.company_id
    WHERE ($from IS NULL OR wait.entered_date >= $from)
        AND ($to IS NULL OR wait.entered_date <= $to)
        AND ($company IS NULL OR wait.company_id = $company)
        AND ($channel IS NULL OR wait.channel = $channel)
        AND ($department IS NULL OR wait.department_id = $department)
        AND wait.exit IS DISTINCT FROM 'department_changed'
)
SELECT
    company_id,
    day,
    channel,
    department_id,
    department_name,
    count(*) FILTER (WHERE exit IS DISTINCT FROM 'open') AS ended,
    count(*) FILTER (WHERE exit = 'answered') AS answered,
    count(*) FILTER (WHERE exit = 'abandoned') AS abandoned,
    count(*) FILTER (WHERE exit = 'short_abandoned') AS short_abandoned,
    count(*) FILTER (WHERE exit IS NULL) AS exit_unknown,
    count(*) FILTER (WHERE exit = 'open') AS still_open,
    round(
        100.0 * count(*) FILTER (WHERE exit = 'abandoned')
        / nullif(count(*) FILTER (WHERE exit IN ('answered', 'abandoned')), 0), 1
    ) AS abandoned_pct,
    round(
        100.0 * count(*) FILTER (WHERE exit IN ('abandoned', 'short_abandoned'))
        / nullif(count(*) FILTER (WHERE exit IN ('answered', 'abandoned', 'short_abandoned')), 0), 1
    ) AS with_short_pct,
    count(*) FILTER (WHERE abandoned_seconds <= 30) AS abandoned_within_30_seconds,
    count(*) FILTER (WHERE abandoned_seconds > 30 AND abandoned_seconds <= 60) AS abandoned_30_to_60_seconds,
    count(*) FILTER (WHERE abandoned_seconds > 60 AND abandoned_seconds <= 180) AS abandoned_60_to_180_seconds,
    count(*) FILTER (WHERE abandoned_seconds > 180 AND abandoned_seconds <= 600) AS abandoned_180_to_600_seconds,
    count(*) FILTER (WHERE abandoned_seconds > 600) AS abandoned_after_600_seconds,
    count(*) FILTER (WHERE exit = 'abandoned' AND abandoned_seconds IS NULL) AS abandoned_unknown,
    round(avg(abandoned_seconds), 1) AS abandoned_avg_seconds,
    round(median(abandoned_seconds), 1) AS abandoned_median_seconds,
    round(percentile_cont(0.9) WITHIN GROUP (ORDER BY abandoned_seconds), 1) AS abandoned_p90_seconds
FROM waits
GROUP BY company_id, day, channel, department_id, department_name
ORDER BY company_id, day, channel, department_id;
