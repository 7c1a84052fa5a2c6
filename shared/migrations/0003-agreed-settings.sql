-- Settings about which all processes have to agree, by the variable that sets them. Set-up writes them; a service that is
-- set otherwise does not start.
create table agreed_settings (
  variable text primary key,
  value    text not null
);
