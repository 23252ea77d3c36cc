select
  delete_expired_audit ($1) as count;
