package Blocks;

# The words of a block for what a client asks and what it is answered, see S3Test.pm. They are
# rewritten into the sections config, request (or raw_request), more_headers, error_code,
# response_headers and response_body_like, which both runners know.

use strict;
use warnings;

use JSON::PP ();
use S3Sign;

# How a request is signed, by the section's name or the word at the beginning of a line.
my %Way = (
    signed       => \&in_header,
    presigned    => \&in_query,
    signed_v2    => sub { in_header(@_, \&S3Sign::v2_headers) },
    presigned_v2 => sub { in_query(@_, \&S3Sign::v2_target) },
    upload       => \&in_chunks,
    form         => \&in_form,
    unsigned     => sub { ($_[0], '') },
);
my $Ways = join '|', sort keys %Way;

my %Known = map { $_ => 1 } qw(method path query host key secret region service skew expires body payload date
    date_header scope_date scope signed terminator token tamper omit edit as sent te pieces first mock
    kind encoding size checksum decoded spoil spoil_checksum spoil_trailer edit_body cut file filename form_key policy
    expiration conditions more unlisted without edit_fields content_type algorithm eol v2);

my %Clients;    # name => [options of S3Sign]

sub clients { %Clients = @_ }

# Rewrites a block.
sub expand {
    my $block = shift;

    my ($section, @more) = grep { defined $block->$_ } sort keys %Way;
    die $block->name . ": both $section and @more\n" if @more;
    my @asked;
    if (defined $section) {
        @asked = requests($section, $block->$section);
        my (@requests, @headers);
        for my $asked (@asked) {
            my ($request, $headers, $pieces) = eval { message($asked) };
            die $block->name . ": $@" if $@;
            push @requests, $request;
            push @headers, $headers;
            $block->set_value(raw_request => $pieces) if $pieces;
        }
        die $block->name . ": pieces of one request alone\n" if @asked > 1 && defined $block->raw_request;
        if (defined $block->origin) {
            my @said = eval { said($block->origin, announces_close($block)) };
            die $block->name . ": $@" if $@;
            die $block->name . ": the origin says more than it is asked\n" if @said > @headers;
            $headers[$_] .= $said[$_] for 0 .. $#said;
        }
        $block->set_value(request => @requests > 1 ? \@requests : $requests[0]);
        $block->set_value(more_headers => @headers > 1 ? \@headers : $headers[0]);
    }
    elsif (defined $block->origin) { die $block->name . ": nobody asks the origin\n" }
    location($block) if !defined $block->config && (defined $block->location || defined $block->server);
    my @answers = ($block->answers // (), map { $_->{answer} // () } @asked);
    die $block->name . ": answers are missing\n" if @answers > 1 && @answers != @asked;
    answers($block, join("\n", @answers), scalar @asked) if @answers;
    if (defined(my $why = $block->does_not_start)) {
        chomp $why;
        $why = with_names($why);
        $block->set_value(must_die  => '');
        $block->set_value(error_log => qr/\[emerg\].*$why/);
    }
}

# The client, the lines of `server`, and a location that signs with the settings of `location`.
sub location {
    my $block = shift;

    my $settings = $block->location // '';
    $settings = "proxy_pass http://origin_a; $settings" if $settings !~ /\bproxy_pass\b/;
    $block->set_value(config => '$TEST_NGINX_CLIENT ' . ($block->server // '')
        . " location / { s3_resign on; $settings }");
}

# What a line below a request adds to it: headers (a name alone), headers that are not signed, fields of a form,
# fields that were not there when it was signed, conditions of its policy, and all of the policy.
my %Below = ('' => 'headers', unsigned => 'unsigned', field => 'fields', added => 'added', condition => 'conditions',
    policy => 'policy');

# The requests of a section: each a hash of way, line, options, answer and what is below the line.
sub requests {
    my ($section, $text) = @_;

    my @asked;
    $text = with_environment($text);
    for (grep {/\S/ && !/^#/} split /\n/, $text) {
        if (/^\s+(?:(unsigned|field|added|condition|policy) +)?(.+)/) {
            my ($what, $line) = ($1 // '', $2);
            my $asked = $asked[-1] // die "a header before the first request: $_\n";
            die "cannot read the header: $_\n" if $what eq '' && $line !~ /^[^\s:]+:/;
            push @{ $asked->{ $Below{$what} } }, $what eq 'field' ? alternatives($line) : $line;
            next;
        }
        my $answer = s/ +=> +(.+)// ? $1 : undef;
        my %below  = map { $_ => [] } values %Below;
        for (alternatives($_)) {
            my ($times, $way, $method, $target, $version, $options)
                = /^(?:(\d+)x +)?(?:($Ways) +)?([A-Z]+) +(\S+)( HTTP\/\S+)?(.*)$/
                or die "cannot read the request: $_\n";
            my %asked = (way => $way // $section, method => $method, target => $target, version => $version // '',
                options => $options, answer => $answer, %below);
            push @asked, (\%asked) x ($times // 1);
        }
    }
    die "no request in $section\n" if !@asked;
    return @asked;
}

# The lines that a line with {a,b} or {1..9} in it stands for, in the order of a shell's.
sub alternatives {
    my $line = shift;
    my ($before, $list, $after) = $line =~ /^(.*?)\{([^{}]*,[^{}]*|\d+\.\.\d+)\}(.*)$/ or return $line;
    return map { alternatives("$before$_$after") } $list =~ /^(\d+)\.\.(\d+)$/ ? $1 .. $2 : split /,/, $list, -1;
}

# The request section's text and the header lines of one, and the pieces of both if it is to be sent so.
sub message {
    my $asked = shift;

    my ($path, $query) = split /\?/, $asked->{target}, 2;
    my %given = options($asked->{options});
    my $sent  = exists $given{sent} ? delete $given{sent} : $given{body};
    my ($as, $mock, $pieces, $first) = delete @given{qw(as mock pieces first)};
    my $client = defined $as ? $Clients{$as} // die "no client $as\n" : [];
    my %o = (method => $asked->{method}, path => $path, query => $query // '', @$client, %given,
        headers => [map { split /: */, $_, 2 } @{ $asked->{headers} }]);
    $o{$_} = $asked->{$_} for qw(fields added);
    $o{more} = [@{ $o{more} // [] }, map { JSON::PP->new->allow_nonref->decode($_) } @{ $asked->{conditions} }];
    ($o{policy}) = @{ $asked->{policy} } if @{ $asked->{policy} };
    my ($target, $headers, $framed) = $Way{ $asked->{way} }->($asked->{target}, \%o, \%given);
    if (defined $framed) { $sent = $framed }
    elsif ($given{te}) {
        $headers .= "Transfer-Encoding: chunked\n";
        $sent = S3Sign::chunked($sent // '', $given{te});
    }
    $headers .= join '', map {"$_\n"} @{ $asked->{headers} } if $asked->{way} eq 'unsigned';
    $headers .= join '', map {"$_\n"} @{ $asked->{unsigned} }, defined $mock ? "X-Mock: $mock" : ();
    my $request = "$asked->{method} $target$asked->{version}" . (length($sent // '') ? "\n$sent" : '');
    return ($request, $headers) if !defined $pieces && !defined $first;
    return ($request, $headers, pieces(S3Test::raw("$asked->{method} $target", $headers, $sent), $pieces, $first));
}

# "head" and the rest; "file+9", with that much of a form's file, and the rest; or pieces of these many bytes, of which
# the last goes on. All of it of the first bytes alone, if so many are named.
sub pieces {
    my ($bytes, $sizes, $first) = @_;
    $bytes = substr $bytes, 0, $first if defined $first;
    return [$bytes] if !defined $sizes;
    return [$bytes =~ /\A(.*?\r\n\r\n)(.*)\z/s] if $sizes eq 'head';
    return [$bytes =~ /\A(.*filename="[^"]*"\r\n[^\r]*\r\n\r\n.{$1})(.*)\z/s] if $sizes =~ /^file\+(\d+)$/;
    return [unpack join('', map {"(a$_)"} split /,/, $sizes) . '*', $bytes];
}

sub in_header {
    my ($target, $o, undef, $sign) = @_;
    return ($target, ($sign // \&S3Sign::v4_headers)->(%$o));
}

# With header lines only where some are signed, or the host is not the usual one.
sub in_query {
    my ($target, $o, $given, $sign) = @_;
    my $headers = @{ $o->{headers} } || defined $given->{host} ? S3Sign::v4_target_headers(%$o) : '';
    return (($sign // \&S3Sign::v4_target)->(%$o), $headers);
}

# In aws-chunked framing.
sub in_chunks {
    my ($target, $o) = @_;
    my $cut = $o->{cut};
    my @edit = defined $cut ? (edit_body => sub { substr $_[0], 0, $cut }) : ();
    return ($target, S3Sign::v4_upload(%$o, data => $o->{body} // '', @edit));
}

# As a browser's form: with the fields below the line, and without those that were to be taken out when it was signed.
sub in_form {
    my ($target, $o) = @_;
    my %without = map { $_ => 1 } @{ $o->{without} // [] };
    my $split   = sub { map { /^([^:]+): *(.*)$/ ? [$1, value($2)] : () } @{ $o->{ $_[0] } } };
    my $edit    = $o->{edit_fields} // sub {@_};
    return ($target, S3Sign::v4_form(%$o, fields => [map {@$_} $split->('fields')],
        edit_fields => sub { ($split->('added'), grep { !$without{ $_->[0] } } $edit->(@_)) }));
}

my %Escaped = (n => "\n", r => "\r", 0 => "\0", t => "\t");

sub options {
    my ($text, $known) = @_;
    $known //= \%Known;

    my %options;
    while ($text =~ /\G +(\w+)(?:=("(?:[^"\\]|\\.)*"|s\|[^|]*\|[^|]*\||\S*))?(?= |$)/gc) {
        my ($name, $value) = ($1, $2 // 1);
        die "no option $name\n" if !$known->{$name};
        $value = value($value);
        $value = substitution($value) if $name =~ /^edit/ && !ref $value;
        $value = $1 * ($2 eq 'm' ? 60 : 3600) if $name eq 'skew' && $value =~ /^([-\d]+)([mh])$/;
        $value = [split /,/, $value] if $name =~ /^(?:omit|unlisted|without)$/;
        $value = [] if $name eq 'conditions' && $value eq 'none';
        $value = undef if $name =~ /^(?:payload|expires|filename)$/ && $value eq 'none';
        $options{$name} = $value;
    }
    die 'cannot read the options:' . substr($text, pos($text) // 0) . "\n" if (pos($text) // 0) < length $text;
    return %options;
}

# What a $name or @name of the file's stands for; a value in double quotes without these, with its escapes replaced.
sub value {
    my $value = shift;
    return named($1) // die "no \$$1\n" if $value =~ /^\$(\w+)$/;
    return list($1)  // die "no \@$1\n" if $value =~ /^\@(\w+)$/;
    $value =~ s/\A"(.*)"\z/$1/s or return $value;
    return $value =~ s/\\(x([0-9a-f]{2})|.)/defined $2 ? chr hex $2 : $Escaped{$1} \/\/ $1/ger;
}

# A sub for sed's s|pattern|text|, that dies if it finds nothing.
sub substitution {
    my $command = shift;
    my ($from, $to) = $command =~ /^s\|([^|]*)\|([^|]*)\|$/ or die "cannot read the edit: $command\n";
    $to =~ s/\\([rn0])/$Escaped{$1}/g;
    return sub { my $text = shift; $text =~ s/$from/$to/s or die "nothing like $from in $text\n"; $text };
}

# What the file calls so: our $name, or our @name.
sub named {
    my $name = shift;
    no strict 'refs';
    return ${"main::$name"};
}

sub list {
    my $name = shift;
    no strict 'refs';
    return defined *{"main::$name"}{ARRAY} ? \@{"main::$name"} : undef;
}

# In a pattern \Q$name\E is the text of $name, which is one itself else.
sub with_names {
    my $text = shift;
    $text =~ s/\\Q\$(\w+)\\E|\$(\w+)/defined $1 ? quotemeta(named($1) \/\/ die "no \$$1\n") : named($2) \/\/ "\$$2"/ge;
    return $text;
}

sub with_environment {
    my $text = shift;
    $text =~ s/\$(TEST_NGINX_\w+)/$ENV{$1} \/\/ die "no environment variable $1\n"/ge;
    return $text;
}

my %Says = map { $_ => 1 } qw(body pieces chunks length no_length);

# The headers that tell origin A what to answer, for each request: a status line with options, and
# header lines below it.
sub said {
    my ($text, $announces) = @_;

    $text = with_environment($text);
    my @said;
    for (grep {/\S/} split /\n/, $text) {
        if (/^\s+(.+)/) {
            my $said = $said[-1] // die "a header before the first answer: $_\n";
            $said->{head} .= "\n" . with_names($1);
            next;
        }
        my ($times, $status, $options)
            = /^(?:(\d+)x +)?(.+?)((?: +(?:(?:body|pieces|chunks)=|(?:no_)?length(?: |$)).*)?)$/;
        $status =~ s/\A(?=\d{3}(?: |\z))/HTTP\/1.1 /;
        $status =~ s/\A"(.*)"\z/$1/;
        push @said, ({ head => $status, options($options, \%Says) }) x ($times // 1);
    }
    for (@said) { $_->{head} =~ s/\AHTTP\/1\.\d [2-5]\d\d\N*\K(?!.*\nConnection:)/\nConnection: close/si if $announces }
    return map { $_->{head} eq '-' ? '' : says($_) } @said;
}

# Whether an origin says that it closes, as it does after it has said what it is told to: where the block leaves it to
# nginx whether a connection is kept, which nginx does by itself from 1.29.7 on. A POST that comes as the origin closes
# is not tried again.
sub announces_close {
    my $block = shift;
    return !grep { ($block->$_ // '') =~ /keepalive|\bConnection\b/ } qw(config http_config location server origin);
}

sub says {
    my %o = %{ +shift };
    my ($head, $body) = @o{qw(head body)};
    my $size = $o{pieces} // $o{chunks};
    my @body = !defined $body ? () : ref $body ? @$body : defined $size ? $body =~ /(.{1,$size})/gs : $body;
    my $is_whole = defined $body && !ref $body && !defined $size;
    if ($o{length} || $is_whole && !$o{no_length}) {
        my $length = 0;
        $length += ref $_ ? $_->[1] : length for @body;
        $head .= "\nContent-Length: $length";
    }
    if (defined $o{chunks}) {
        $head .= "\nTransfer-Encoding: chunked";
        @body = (map({ sprintf "%x\r\n%s\r\n", length, $_ } @body), "0\r\n\r\n");
    }
    return S3Test::says($head, @body);
}

# Each line "STATUS PATTERN", "STATUS is TEXT", or "STATUS error CODE WORDS" for an S3 error; "4x" before it
# repeats it, and "all" for each of the requests. The status may be a pattern itself. On the indented lines below
# are its headers.
sub answers {
    my ($block, $text, $requests) = @_;

    my @answers;
    for (grep {/\S/} split /\n/, $text) {
        if (/^\s+(.+)/) {
            my $answer = $answers[-1] // die $block->name . ": a header before the first answer: $_\n";
            $answer->{headers} .= with_names($1) . "\n";
            next;
        }
        my ($times, $code, $error, $words, $is, $body)
            = /^(?:(\d+x|all) +)?([\d.\[\]]{3,})(?: error (\S+)(?: (.+))?| (is)(?: (.*))?| (.+))?$/
            ? ($1, $2, $3, $4, $5, $6 // $7)
            : die $block->name . ": cannot read the answer: $_\n";
        $times = !defined $times ? 1 : $times eq 'all' ? $requests || die $block->name . ": all of what?\n" : $times =~ s/x//r;
        $body = with_names($body // '');
        $body = S3Test::s3_error($error, $words) if defined $error;
        push @answers, ({ code => $code, body => $body, is => $is, headers => '' }) x $times;
    }
    my $each = sub { @_ > 1 ? [@_] : $_[0] };
    my @bodies = map { $_->{body} } @answers;
    my @codes = map { $_->{code} } @answers;
    my $exact = !grep {/\D/} @codes;
    $block->set_value($exact ? (error_code => $each->(@codes)) : (error_code_like => $each->(map {"^$_\$"} @codes)));
    if (!grep { !$_->{is} } @answers) { $block->set_value(response_body => $each->(@bodies)) }
    elsif (grep { length $_->{body} || $_->{is} } @answers) {
        $block->set_value(response_body_like =>
            $each->(map { $_->{is} ? "\\A\Q$_->{body}\E\\z" : $_->{body} } @answers));
    }
    return if !grep { length $_->{headers} } @answers;
    die $block->name . ": headers in two sections\n" if defined $block->response_headers;
    $block->set_value(response_headers => $each->(map { $_->{headers} } @answers));
}

1;
