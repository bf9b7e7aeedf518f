# Beside the Lua module: Debian's, loaded before this one and after it, or OpenResty's, which is built in.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;

my $module;

BEGIN {
    $module = $ENV{TEST_NGINX_LOAD_MODULES};
    # both orders, by load_module lines in the blocks themselves
    $ENV{TEST_NGINX_LOAD_MODULES} = '';
}
use Test::Nginx::Socket;

my $lua = S3Test::lua() // plan(skip_all => 'no libnginx-mod-http-lua that fits this nginx');
plan('no_plan');

$ENV{TEST_NGINX_LUA_FIRST} = "$lua load_module $module;";
$ENV{TEST_NGINX_LUA_LAST}  = "load_module $module; $lua";
$ENV{TEST_NGINX_LUA_CONFIG} = <<'END';
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on;
        access_by_lua_block { ngx.ctx.seen = true }
        header_filter_by_lua_block { ngx.header["X-Lua"] = ngx.ctx.seen and "seen" or "not seen" }
        body_filter_by_lua_block { ngx.ctx.bytes = (ngx.ctx.bytes or 0) + #ngx.arg[1] }
        log_by_lua_block { ngx.log(ngx.INFO, "lua saw ", ngx.var.s3_auth) }
        proxy_pass http://origin_ab;
    }
END
$ENV{TEST_NGINX_LUA_CONFIG} =~ s/\$(TEST_NGINX_\w+)/$ENV{$1}/g;
# A balancer written in Lua, for one peer in the list and for one that is not.
$ENV{TEST_NGINX_LUA_BALANCER} = join '', map {
    my ($name, $address) = @$_;
    my ($host, $port) = split /:/, $address;
    "upstream $name { server $ENV{TEST_NGINX_A}; server $ENV{TEST_NGINX_B};"
        . " s3_origin $ENV{TEST_NGINX_A} $ENV{TEST_NGINX_CRED_A}; s3_origin $ENV{TEST_NGINX_B} $ENV{TEST_NGINX_CRED_B};"
        . " balancer_by_lua_block { require('ngx.balancer').set_current_peer('$host', $port) } }\n"
} ['known', $ENV{TEST_NGINX_B}], ['unknown', $ENV{TEST_NGINX_C}];
# Balancers of A and B: of each in turn, and of B alone. The ids are those of 075-sealed-ids.t.
$ENV{TEST_NGINX_LUA_SEALED} = join '', map {
    my ($name, $lua) = @$_;
    "upstream $name { server $ENV{TEST_NGINX_A}; server $ENV{TEST_NGINX_B}; keepalive 4;"
        . " s3_origin $ENV{TEST_NGINX_A} $ENV{TEST_NGINX_CRED_A} host=a.example.com;"
        . " s3_origin $ENV{TEST_NGINX_B} $ENV{TEST_NGINX_CRED_B} host=b.example.com;"
        . " balancer_by_lua_block { $lua require('ngx.balancer').set_current_peer('127.0.0.1', port) } }\n"
} ['in_turn', "package.loaded.picks = (package.loaded.picks or 0) + 1; local port = $ENV{TEST_NGINX_PORT_A} + package.loaded.picks % 2"],
    ['only_b', "local port = $ENV{TEST_NGINX_PORT_B}"];
$ENV{TEST_NGINX_ID_A} = 's3r1_qy3mg2pnrrt27lsbmg2im7a2p4whfqyzs2wxw37kluia';
$ENV{TEST_NGINX_ID_A_DOWN} = 's3r1_gqqjkpfqav2vbjmxakmsuy6652r4iytdd5t6wed2r6hq';
$ENV{TEST_NGINX_ID_B} = 's3r1_djgbuacksywvrxacpha37httw2cqvrzrynfamer3m2ra';
$ENV{TEST_NGINX_LUA_BALANCED} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    s3_resign on;
    location / { proxy_pass http://known; }
    location /unknown/ { proxy_pass http://unknown; }
END

prepare();
run_tests();

__DATA__

=== TEST 1: Lua first: verified and signed
--- main_config
$TEST_NGINX_LUA_FIRST
--- config
$TEST_NGINX_LUA_CONFIG
--- signed
GET /bucket/key
PUT /bucket/key body=hello
presigned GET /bucket/key mock=A=close
--- answers
200 ^origin A
    X-Lua: seen
    X-Verified: yes
200 ^origin A.*body 5 2cf24dba
    X-Lua: seen
    X-Verified: yes
200 ^origin B
    X-Lua: seen
    X-Verified: yes

=== TEST 2: Lua last: verified and signed
--- main_config
$TEST_NGINX_LUA_LAST
--- config
$TEST_NGINX_LUA_CONFIG
--- signed
GET /bucket/key
PUT /bucket/key body=hello
presigned GET /bucket/key mock=A=close
--- answers
200 ^origin A
    X-Lua: seen
    X-Verified: yes
200 ^origin A.*body 5 2cf24dba
    X-Lua: seen
    X-Verified: yes
200 ^origin B
    X-Lua: seen
    X-Verified: yes

=== TEST 3: Lua first: rejected
--- main_config
$TEST_NGINX_LUA_FIRST
--- config
$TEST_NGINX_LUA_CONFIG
--- signed: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 4: Lua last: rejected
--- main_config
$TEST_NGINX_LUA_LAST
--- config
$TEST_NGINX_LUA_CONFIG
--- signed: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 5: an access_by_lua that accepts a request takes nobody past the signature
--- main_config
$TEST_NGINX_LUA_FIRST
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; satisfy any; access_by_lua_block { return } proxy_pass http://origin_a; }
--- unsigned: GET /bucket/key
--- refused: 403 AccessDenied

=== TEST 6: and in the other order
--- main_config
$TEST_NGINX_LUA_LAST
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; satisfy any; access_by_lua_block { return } proxy_pass http://origin_a; }
--- unsigned: GET /bucket/key
--- refused: 403 AccessDenied

=== TEST 7: balancer_by_lua, to a peer of the list
--- main_config
$TEST_NGINX_LUA_FIRST
--- http_config
$TEST_NGINX_LUA_BALANCER
--- config
$TEST_NGINX_LUA_BALANCED
--- signed: GET /bucket/key
--- passed: B

=== TEST 8: and in the other order
--- main_config
$TEST_NGINX_LUA_LAST
--- http_config
$TEST_NGINX_LUA_BALANCER
--- config
$TEST_NGINX_LUA_BALANCED
--- signed: GET /bucket/key
--- passed: B

=== TEST 9: balancer_by_lua, to a peer that nobody knows: 500, not sent
--- main_config
$TEST_NGINX_LUA_FIRST
--- http_config
$TEST_NGINX_LUA_BALANCER
--- config
$TEST_NGINX_LUA_BALANCED
--- signed
GET /unknown/key
unsigned GET /_log/unknown
--- answers
500 .
200 ^$

=== TEST 10: and in the other order
--- main_config
$TEST_NGINX_LUA_LAST
--- http_config
$TEST_NGINX_LUA_BALANCER
--- config
$TEST_NGINX_LUA_BALANCED
--- signed
GET /unknown/key
unsigned GET /_log/unknown
--- answers
500 .
200 ^$

=== TEST 11: a subrequest from Lua into a location of the module
--- main_config
$TEST_NGINX_LUA_FIRST
--- config
    $TEST_NGINX_CLIENT
    location /open/ { content_by_lua_block { local res = ngx.location.capture("/secret/object"); ngx.status = res.status; ngx.print(res.body) } }
    location /secret/ { s3_resign on; proxy_pass http://origin_a; }
--- unsigned
GET /open/key
signed GET /open/key
GET /_log/secret
--- error_code_like eval: ['^(403|500)$', '^(403|500)$', 200]
--- response_body_like eval: ['^(?!.*verified)', '^(?!.*verified)', '^$']

=== TEST 12: rewrite_by_lua with ngx.exec
--- main_config
$TEST_NGINX_LUA_FIRST
--- config
    $TEST_NGINX_CLIENT
    location /open/ { content_by_lua_block { ngx.exec("/secret/object") } }
    location /secret/ { s3_resign on; proxy_pass http://origin_a; }
--- unsigned
GET /open/key
GET /_log/secret
--- error_code_like eval: ['^(403|500)$', 200]
--- response_body_like eval: ['.', '^$']

=== TEST 13: ngx.req.set_header after the verification is signed too
--- main_config
$TEST_NGINX_LUA_LAST
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; rewrite_by_lua_block { ngx.req.set_header("X-Note", "1") } proxy_pass http://origin_a; }
--- signed: GET /bucket/key
--- passed: A
--- response_body_like: header X-Note: 1

=== TEST 14: an upload that is read before it is verified (025-read-before.t has more of them)
--- main_config
$TEST_NGINX_LUA_LAST
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; rewrite_by_lua_block { ngx.req.read_body() } proxy_pass http://origin_a; }
--- upload: PUT /bucket/key body=hello
--- passed: A
--- response_body_like: data 5 2cf24dba

=== TEST 15: an upload that is read after the verification is
--- main_config
$TEST_NGINX_LUA_LAST
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; access_by_lua_block { ngx.req.read_body() ngx.req.set_header("X-Body", ngx.req.get_body_data()) } proxy_pass http://origin_a; }
--- upload: PUT /bucket/key body=hello
--- passed: A
--- response_body_like: header X-Body: hello\n.*data 5 2cf24dba

=== TEST 16: s3_verify_payload: a body that is read before it can be verified
--- main_config
$TEST_NGINX_LUA_LAST
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_verify_payload on; rewrite_by_lua_block { ngx.req.read_body() } proxy_pass http://origin_a; }
--- signed
PUT /bucket/key body=hello             => 200 body 5 2cf24dba
PUT /bucket/key body=hello sent=hallo  => 400 error XAmzContentSHA256Mismatch

=== TEST 17: a body that is read after the verification is, if its hash is the signed one
--- main_config
$TEST_NGINX_LUA_LAST
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_verify_payload on; access_by_lua_block { ngx.req.read_body() ngx.req.set_header("X-Body", ngx.req.get_body_data()) } proxy_pass http://origin_a; }
--- signed
PUT /bucket/key body=hello
PUT /bucket/key body=hello sent=hallo
--- answers
200 header X-Body: hello\n.*body 5 2cf24dba
400 <Code>XAmzContentSHA256Mismatch<

=== TEST 18: a browser's form that is read before it can be verified
--- main_config
$TEST_NGINX_LUA_LAST
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; rewrite_by_lua_block { ngx.req.read_body() } proxy_pass http://origin_a; }
--- form
POST /bucket         => 200 verified yes
POST /bucket tamper  => 403 error SignatureDoesNotMatch

=== TEST 19: a form that is read after the verification is accepted
--- main_config
$TEST_NGINX_LUA_LAST
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; access_by_lua_block { ngx.req.read_body() } proxy_pass http://origin_a; }
--- form: POST /bucket
--- passed: A
--- response_body_like: data 5 2cf24dba

=== TEST 20: a program that a worker starts has none of the shared memory
--- main_config
$TEST_NGINX_LUA_LAST
--- config
    $TEST_NGINX_CLIENT
    location /status { s3_status; }
    location /count {
        content_by_lua_block {
            for _, process in ipairs { ngx.worker.pid(), "self" } do
                local program = io.popen("ls -l /proc/" .. process .. "/fd | grep -c memfd:s3_resign_")
                ngx.say(program:read("*l"))
                program:close()
            end
        }
    }
--- unsigned: GET /count
--- response_body
2
0

=== TEST 21: balancer_by_lua: the part of an upload goes to the origin that began it, whoever is picked first
--- main_config
$TEST_NGINX_LUA_FIRST
--- http_config
$TEST_NGINX_LUA_SEALED
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://in_turn; }
    location /down/ { proxy_pass http://only_b; }
--- signed
GET /bucket/other
8x PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
GET /bucket/other
8x PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello
4x PUT /down/key?partNumber=1&uploadId=$TEST_NGINX_ID_A_DOWN body=hello
GET /down/other
unsigned GET /_log/down/key
--- answers
200 verified yes
8x 200 ^origin A\nverified yes\n.*uploadId=A%2Fupload%2B1%3D HTTP
200 verified yes
8x 200 ^origin B\nverified yes\n.*uploadId=B%2Fupload%2B1%3D HTTP
4x 502 error InternalError
200 ^origin B\nverified yes
200 ^$
