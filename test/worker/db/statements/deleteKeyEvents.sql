select
  delete_expired_key_events ($1) as count;
