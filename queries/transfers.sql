-- Who hands chats to whom (transferencias)? A matrix of agents, and one of departments.
-- chart: heatmap x=to_label y=from_label value=sum(transfers)
--
-- between           agents: the chat goes from one agent to the next with no queue between. A return to the
--                   queue is no transfer (see requeues), nor is one that ends with nobody.
--                   departments: the chat's department changes, with an agent, in the queue or with a bot
-- from_*, to_*      who gave and who got; NULL among departments is "none". from_label and to_label are the
--                   names, with the id where two of the company share one, else the id, or (none)
-- transfers         how often, and sessions in how many distinct sessions (atendimentos)
-- pct               transfers of all in this matrix, company and period: each matrix of a company adds up to 100
-- while_waiting     department changes of a customer in the queue: the wait goes on, in the other queue
-- before_median_seconds  agents only: time with the giving agent before
--
-- The period is that of the giving agent's segment's begin, and of the department's change, in the lake's
-- business time zone. $department holds where it gave or got the chat, or, among agents, was the one
-- known when the giving agent took the chat: a transfer into it by an agent of another is not found.
--
-- $from DATE = NULL  first day
-- $to DATE = NULL  last day, included
-- $company BIGINT = NULL  only this company (empresa)
-- $channel TEXT = NULL  only this channel (canal)
-- $department BIGINT = NULL  only the department (departamento) of this id
WITH handed_over AS (
    SELECT
        'agents' AS between,
        giving.company_id,
        giving.chat_id,
        giving.session_no,
        giving.agent_id AS from_id,
        getting.agent_id AS to_id,
        CAST(NULL AS BOOLEAN) AS was_waiting,
        giving.handle_seconds AS before_seconds
    FROM fact_agent_segments AS giving
    JOIN fact_agent_segments AS getting
        ON getting.chat_id = giving.chat_id
        AND getting.session_no = giving.session_no
        AND getting.segment_no = giving.segment_no + 1
        AND getting.company_id IS NOT DISTINCT FROM giving.company_id
    WHERE giving.end_reason = 'transferred'
        AND ($from IS NULL OR giving.started_date >= $from)
        AND ($to IS NULL OR giving.started_date <= $to)
        AND ($company IS NULL OR giving.company_id = $company)
        AND ($channel IS NULL OR giving.channel = $channel)
        AND ($department IS NULL OR giving.department_id = $department)
    UNION ALL
    SELECT
        'departments',
        change.company_id,
        change.chat_id,
        change.session_no,
        change.from_department_id,
        change.to_department_id,
        change.was_waiting,
        NULL
    FROM fact_department_changes AS change
    LEFT JOIN fact_chats AS chat
        ON chat.chat_id = change.chat_id
        AND chat.session_no = change.session_no
        AND chat.company_id IS NOT DISTINCT FROM change.company_id
    WHERE ($from IS NULL OR change.changed_date >= $from)
        AND ($to IS NULL OR change.changed_date <= $to)
        AND ($company IS NULL OR change.company_id = $company)
        AND ($channel IS NULL OR chat.channel = $channel)
        AND (
            $department IS NULL
            OR change.from_department_id = $department
            OR change.to_department_id = $department
        )
),
names AS (
    SELECT
        *,
        CASE
            WHEN name IS NULL OR count(*) OVER (PARTITION BY between, company_id, name) > 1 THEN concat_ws(' ', name, id)
            ELSE name
        END AS label
    FROM (
        SELECT 'agents' AS between, company_id, agent_id AS id, name FROM dim_agents
        UNION ALL
        SELECT 'departments', company_id, department_id, name FROM dim_departments
    )
)
SELECT
    handed.company_id,
    handed.between,
    handed.from_id,
    giver.name AS from_name,
    coalesce(giver.label, CAST(handed.from_id AS VARCHAR), '(none)') AS from_label,
    handed.to_id,
    getter.name AS to_name,
    coalesce(getter.label, CAST(handed.to_id AS VARCHAR), '(none)') AS to_label,
    count(*) AS transfers,
    count(DISTINCT concat_ws('/', handed.chat_id, handed.session_no)) AS sessions,
    round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY handed.company_id, handed.between), 1) AS pct,
    CASE
        WHEN handed.between = 'departments' THEN count(*) FILTER (WHERE handed.was_waiting)
    END AS while_waiting,
    round(median(handed.before_seconds), 1) AS before_median_seconds
FROM handed_over AS handed
LEFT JOIN names AS giver
    ON giver.between = handed.between
    AND giver.id = handed.from_id
    AND giver.company_id IS NOT DISTINCT FROM handed.company_id
LEFT JOIN names AS getter
    ON getter.between = handed.between
    AND getter.id = handed.to_id
    AND getter.company_id IS NOT DISTINCT FROM handed.company_id
GROUP BY handed.company_id, handed.between, handed.from_id, giver.name, giver.label, handed.to_id, getter.name, getter.label
ORDER BY handed.company_id, handed.between, transfers DESC, handed.from_id, handed.to_id;
