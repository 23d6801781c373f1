-- How a partner writes an imported code, where reading it with forgiveness says another text; NULL where both are the same.
ALTER TABLE code_pool ADD COLUMN spelling text;
