# SPDX-License-Identifier: Apache-2.0
# needs: java javac jcmd ab /usr/share/tomcat10/bin/catalina.sh
# policy: web
# profile: java
# prepare: mkdir -p app && javac -d app "$here/workloads/files/App.java" && mkdir -p var/lib/tomcat10/webapps/ROOT && echo '<%= 6 * 7 %>' >var/lib/tomcat10/webapps/ROOT/index.jsp
say "$(java --version | head -n 1)" "tomcat $(dpkg-query -W -f '${Version}' tomcat10)"
cd /app
java -cp /app -Djava.io.tmpdir=/tmp App
export CATALINA_HOME=/usr/share/tomcat10 CATALINA_BASE=/var/lib/tomcat10 CATALINA_TMPDIR=/tmp
/bin/sh /usr/libexec/tomcat10/tomcat-start.sh >/var/log/tomcat10/catalina.out 2>&1 &
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	! ab -q -n 1 http://127.0.0.1:8080/index.jsp >/dev/null 2>&1 || break
	sleep 1
done
ab -q -n 500 -c 5 http://127.0.0.1:8080/index.jsp | grep -E 'Complete|Failed|Non-2xx'
jcmd $! VM.version
jcmd $! Thread.print >/dev/null
kill $!
wait $! || true
grep -q 'Destroying ProtocolHandler' /var/log/tomcat10/catalina.out
