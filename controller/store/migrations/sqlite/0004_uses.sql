-- Several uses of one voucher, partial uses of a gift card.

-- Which use of its voucher it is; each use has at most one redemption that holds or has used it.
ALTER TABLE redemptions ADD COLUMN place INTEGER NOT NULL DEFAULT 1;
DROP INDEX redemptions_live;
CREATE UNIQUE INDEX redemptions_live ON redemptions (ns, grant_id, place) WHERE live = 1;

-- What is used of a grant that can be used more than once, as JSON; NULL for any other.
ALTER TABLE grants ADD COLUMN usage TEXT;
