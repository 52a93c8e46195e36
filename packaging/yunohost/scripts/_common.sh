#!/bin/bash
# Shared by the scripts of this app. YunoHost sets $install_dir, $data_dir, $domain, $port and $xmpp_domain.

# The domain as a regular expression in porter.yml.
xmpp_domain_pattern=${xmpp_domain//./\\.}
export xmpp_domain_pattern

install_program() {
  ynh_setup_source --dest_dir="$install_dir/app" --full_replace
  chown -R root:root "$install_dir/app"
}

write_config() {
  ynh_config_add --template="porter.yml" --destination="$install_dir/porter.yml"
  chown root:"$app" "$install_dir/porter.yml"
  chmod 640 "$install_dir/porter.yml"
}
