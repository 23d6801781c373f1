-- Reports find the few rows that they need without reading the many: exceptions in the audit trail, lapses in the ledger.
-- Both are partial indexes, so that what is not reported on costs nothing.

CREATE INDEX audit_exceptions ON audit (ns, id) WHERE action = 'exception';
CREATE INDEX ledger_lapses ON ledger (ns, seq) WHERE rule = 'points-expired';
