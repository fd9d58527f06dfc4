-- How much of the waiting falls outside business hours (fora do expediente)? By day, channel and department.
-- chart: bar x=day y=sum(inside),sum(partly),sum(outside) stacked
--
-- Needs the setting business_hours: without it every wait is in no_calendar.
--
-- waits         ended waits:  waits = inside + partly + outside + no_time + unknown + no_calendar. A stay
--               that ended by a move to another department's queue goes on there; still_open are not ended.
-- moved_on      stays that ended so: their time here is in moved_on_avg_seconds and
--               moved_on_avg_business_seconds, and in no other column. All others are of the time in the
--               department's queue in which the wait ended, after a move from the move on
-- inside        every second of the wait lay in business hours
-- partly        some of it did: such as a customer who came in the evening and was answered next morning
-- outside       none of it did
-- no_time       waits of 0 seconds, which lie on neither side
-- unknown       no event shows when the wait began or ended, or how it ended
-- outside_pct   outside and partly, of those two and inside
-- abandono      *_abandoned: how many of each left unanswered, short ones included
-- answered_avg_seconds  mean wait of the answered by the clock on the wall (TME), and
-- answered_avg_business_seconds  of the same waits, only the seconds in business hours
--
-- day is the date on which the customer entered this queue, in the lake's business time zone.
-- Averages are over single waits and cannot be averaged again: to see all days as one, set $by_day to false.
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
        wait.exit IN ('abandoned', 'short_abandoned') AS is_abandoned,
        CASE
            WHEN wait.exit = 'open' THEN 'open'
            WHEN wait.exit = 'department_changed' THEN 'moved_on'
            WHEN wait.exit IS NULL OR wait.wait_seconds IS NULL THEN 'unknown'
            WHEN wait.wait_business_seconds IS NULL THEN 'no_calendar'
            WHEN wait.wait_seconds = 0 THEN 'no_time'
            WHEN wait.wait_business_seconds = 0 THEN 'outside'
            WHEN wait.wait_business_seconds < wait.wait_seconds THEN 'partly'
            ELSE 'inside'
        END AS lies,
        wait.wait_seconds,
        wait.wait_business_seconds
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
    count(*) FILTER (WHERE lies NOT IN ('open', 'moved_on')) AS waits,
    count(*) FILTER (WHERE lies = 'inside') AS inside,
    count(*) FILTER (WHERE lies = 'partly') AS partly,
    count(*) FILTER (WHERE lies = 'outside') AS outside,
    count(*) FILTER (WHERE lies = 'no_time') AS no_time,
    count(*) FILTER (WHERE lies = 'unknown') AS unknown,
    count(*) FILTER (WHERE lies = 'no_calendar') AS no_calendar,
    count(*) FILTER (WHERE lies = 'open') AS still_open,
    round(
        100.0 * count(*) FILTER (WHERE lies IN ('outside', 'partly'))
        / nullif(count(*) FILTER (WHERE lies IN ('outside', 'partly', 'inside')), 0), 1
    ) AS outside_pct,
    count(*) FILTER (WHERE lies = 'inside' AND is_abandoned) AS inside_abandoned,
    count(*) FILTER (WHERE lies = 'partly' AND is_abandoned) AS partly_abandoned,
    count(*) FILTER (WHERE lies = 'outside' AND is_abandoned) AS outside_abandoned,
    round(
        avg(wait_seconds) FILTER (WHERE exit = 'answered' AND wait_business_seconds IS NOT NULL), 1
    ) AS answered_avg_seconds,
    round(avg(wait_business_seconds) FILTER (WHERE exit = 'answered'), 1) AS answered_avg_business_seconds,
    count(*) FILTER (WHERE lies = 'moved_on') AS moved_on,
    round(
        avg(wait_seconds) FILTER (WHERE lies = 'moved_on' AND wait_business_seconds IS NOT NULL), 1
    ) AS moved_on_avg_seconds,
    round(avg(wait_business_seconds) FILTER (WHERE lies = 'moved_on'), 1) AS moved_on_avg_business_seconds
FROM waits
GROUP BY company_id, day, channel, department_id, department_name
ORDER BY company_id, day, channel, department_id;
