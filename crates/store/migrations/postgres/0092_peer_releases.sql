-- The same, by which node had it released: the name of its certificate. Empty: noted before nodes were told apart.
ALTER TABLE peer_releases ADD COLUMN peer TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE peer_releases DROP CONSTRAINT peer_releases_pkey;
ALTER TABLE peer_releases ADD PRIMARY KEY (case_id, peer);
