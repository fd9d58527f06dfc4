-- Totals that need no rule: what was delivered, once however often it came, against what is stored.

CREATE TABLE delivered_by_type AS
WITH items AS (
    SELECT delivery.json->'$.body.time' AS time, kind.key AS type, item.value AS item
    FROM read_ndjson_objects(getvariable('deliveries')) delivery, json_each(delivery.json->'$.body.messages') kind, json_each(kind.value) item
)
SELECT type, count(DISTINCT (time::TEXT, item::TEXT)) AS events FROM items GROUP BY ALL;

CREATE TABLE stored_by_type AS SELECT type, count(*) AS events FROM said GROUP BY ALL;

CREATE TABLE messages_by_role AS
SELECT role, count(DISTINCT (company_id, message_id)) AS messages FROM said WHERE role IS NOT NULL GROUP BY ALL;

CREATE TABLE stored_by_role AS
SELECT CASE WHEN is_internal THEN 'internal' ELSE role END AS role, count(*) AS messages FROM fact_messages GROUP BY ALL;
