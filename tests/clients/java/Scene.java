// SPDX-License-Identifier: Apache-2.0
// Scene A, profiled by io.pyroscope:agent (Maven Central), Pyroscope's client for Java: it sends JFR.

import io.pyroscope.http.Format;
import io.pyroscope.javaagent.EventType;
import io.pyroscope.javaagent.PyroscopeAgent;
import io.pyroscope.javaagent.config.Config;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Map;
import java.util.Random;

public class Scene {
    static long sink;

    static long burn(int n) {
        long sum = 0;
        for (int i = 0; i < n; i++) sum = (sum * 31 + i) % 1000003;
        return sum;
    }

    static void foo(int n) {
        sink += burn(3 * n);
    }

    static void bar(int n) {
        sink += burn(n);
    }

    static void work(int n) {
        foo(n);
        bar(n);
    }

    /** Until SECONDS are over; returns the nanoseconds of CPU that its thread used. */
    static long serve() throws InterruptedException {
        long ends = System.nanoTime() + (long) (1e9 * Double.parseDouble(System.getenv("SECONDS")));
        var threads = ManagementFactory.getThreadMXBean();
        long began = threads.getCurrentThreadCpuTime();
        var random = new Random();
        while (System.nanoTime() < ends) {
            work(300_000 + random.nextInt(2_400_000));
            Thread.sleep(20);
        }
        return threads.getCurrentThreadCpuTime() - began;
    }

    public static void main(String[] args) throws InterruptedException {
        PyroscopeAgent.start(new Config.Builder()
            .setApplicationName(System.getenv("SERVICE"))
            .setServerAddress(System.getenv("URL"))
            .setFormat(Format.JFR)
            .setProfilingEvent(EventType.ITIMER)
            .setProfilingInterval(Duration.ofMillis(10))
            .setUploadInterval(Duration.ofSeconds(5))
            .setLabels(Map.of("region", "eu", "client", "java"))
            .build());
        long nanoseconds = serve();
        // stop() sends nothing: the last upload has to come in its turn.
        Thread.sleep(6000);
        PyroscopeAgent.stop();
        System.out.println("{\"cpu_seconds\": " + nanoseconds / 1e9 + "}");
        System.exit(0);
    }
}
