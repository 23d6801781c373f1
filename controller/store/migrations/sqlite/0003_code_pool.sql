-- Codes that were imported, each at its place in the pool of its reward (such as `partner|17`), from which they are taken in
-- order. How many there are and how many were taken are counters, so that taking one changes no row here.
CREATE TABLE code_pool (
    ns INTEGER NOT NULL,
    place TEXT NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (ns, place),
    UNIQUE (ns, code)
) STRICT, WITHOUT ROWID;
