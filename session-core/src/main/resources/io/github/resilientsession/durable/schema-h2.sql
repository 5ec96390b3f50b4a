create table if not exists resilient_session (
  session_id varchar(256) not null primary key,
  version bigint not null,
  principal_name varchar(512),
  created_at bigint not null,
  last_accessed_at bigint not null,
  max_inactive_seconds bigint not null,
  expires_at bigint not null,
  attributes binary large object not null,
  state smallint not null,
  redis_pending boolean not null,
  persisted_writes varchar(2048)
);

create index if not exists resilient_session_expires_at on resilient_session (expires_at);

create index if not exists resilient_session_principal_name on resilient_session (principal_name);

create index if not exists resilient_session_redis_pending on resilient_session (redis_pending);

create table if not exists resilient_session_lease (
  name varchar(64) not null primary key,
  owner varchar(64) not null,
  expires_at bigint not null,
  progress varchar(512) not null
);

insert into resilient_session_lease (name, owner, expires_at, progress)
  select 'resync', '', 0, '' where not exists (select 1 from resilient_session_lease where name = 'resync');
