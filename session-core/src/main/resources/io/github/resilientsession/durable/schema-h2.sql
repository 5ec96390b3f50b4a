-- First of all: a table of sessions without a version would count as older.
create table if not exists resilient_session_schema (version integer not null primary key);

insert into resilient_session_schema (version) select 2 where not exists (select 1 from resilient_session_schema);

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
  persisted_writes varchar(2048),
  moved_to varchar(256)
);

create index if not exists resilient_session_state_expires_at on resilient_session (state, expires_at, session_id);

create index if not exists resilient_session_principal_name on resilient_session (principal_name);

create index if not exists resilient_session_redis_pending on resilient_session (redis_pending);

create table if not exists resilient_session_lease (
  name varchar(64) not null primary key,
  owner varchar(64) not null,
  expires_at bigint not null,
  progress varchar(512) not null
);
