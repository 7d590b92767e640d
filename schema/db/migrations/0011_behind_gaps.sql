-- Live events behind which history was missing when they came: flag 128 (EventFlags::behind_gap). They still
-- name what is missing, or it has been fetched since and stands before them.
update events e set flags = e.flags | 128
  from (select later_event_nid as nid from gaps
        union
        select live.event_nid from (select distinct room_nid, anchor from events where sub < 0) filled
          join events live on live.room_nid = filled.room_nid and live.anchor = filled.anchor and live.sub = 0) behind
  where e.event_nid = behind.nid and e.sub = 0;
