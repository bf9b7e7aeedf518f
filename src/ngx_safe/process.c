/*
 * Whom nginx's worker processes run as.
 */

#include "shim.h"


/*
 * The user's name, as the configuration has it; null where workers run as who starts them.
 */
const char *
shim_worker_user(ngx_cycle_t *cycle, uid_t *user, gid_t *group)
{
    ngx_core_conf_t  *core = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (geteuid() != 0 || core->username == NULL) {
        return NULL;
    }
    *user = core->user;
    *group = core->group;
    return core->username;
}
