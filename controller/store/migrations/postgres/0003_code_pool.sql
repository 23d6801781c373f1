-- Codes that were imported, each at its place in the pool of its reward (such as `partner|17`), from which they are taken in
-- order. How many there are and how many were taken are counters, so that taking one changes no row here.
CREATE TABLE code_pool (
    ns bigint NOT NULL,
    place text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    PRIMARY KEY (ns, place),
    UNIQUE (ns, code)
);
